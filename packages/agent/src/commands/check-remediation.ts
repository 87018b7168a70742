import type { Remediation } from "@poppo-ops/plugins";
import type { CommandPayload } from "@poppo-ops/plugins/wire";
import type { Policy } from "../config/config.js";
import type { Plugins } from "../plugins/plugins.js";
import { readConfig } from "../plugins/read-config.js";
import { refusalOfPolicy } from "./policy.js";

/** A command this host will not run. The message begins with the name of the rule that refused. */
export class Refused extends Error {
  override name = "Refused";
}

export interface CheckedRemediation {
  remediation: Remediation;
  input: unknown;
  target: string;
  /** Why the local policy would refuse to run it. */
  policyRefusal?: string;
}

/** Finds the remediation, validates its input and asks the local policy. @throws {Refused} */
export async function checkRemediation(
  payload: CommandPayload,
  plugins: Plugins,
  policy: Policy,
): Promise<CheckedRemediation> {
  const kind = payload.remediation ?? "";
  const remediation = await plugins.remediation(kind).catch((error: Error) => {
    throw new Refused(`plugin: ${error.message}`);
  });
  // Before the input: a host that forbids the act says so, whatever the act's details are.
  const claimed = payload.target ?? targetOf(remediation, payload.input);
  const policyRefusal = refusalOfPolicy(policy, kind, remediation.risk, claimed);
  if (policyRefusal && payload.kind === "REMEDIATE") throw new Refused(`policy: ${policyRefusal}`);

  const input = readInput(remediation, kind, payload.input);
  const target = remediation.target(input);
  // The policy has judged the claimed target; it must be the one that will be touched.
  if (payload.target !== undefined && target !== payload.target)
    throw new Refused(`target: ${kind} would touch "${target}", the command names "${payload.target}"`);
  return { remediation, input, target, policyRefusal };
}

function readInput(remediation: Remediation, kind: string, input: unknown): unknown {
  try {
    return readConfig(remediation.input, input, `the input of ${kind}`);
  } catch (error) {
    throw new Refused(`input: ${(error as Error).message}`);
  }
}

function targetOf(remediation: Remediation, input: unknown): string {
  const parsed = remediation.input.safeParse(input);
  return parsed.success ? remediation.target(parsed.data) : "";
}
