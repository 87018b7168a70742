import { Command, InvalidArgumentError, Option } from "commander";
import type { Client } from "../client.js";
import { unwrap } from "../error.js";
import {
  DeleteRemediationPolicyDocument,
  PolicyMode,
  RemediationPoliciesDocument,
  SetRemediationPolicyDocument,
} from "../generated/graphql.js";
import { action } from "./cli.js";
import { notFound } from "./failure.js";
import { probeId } from "./lookup.js";
import { duration, one, wholeNumber } from "./option-values.js";
import { listing, MAX_PAGE, readPages } from "./paging.js";
import { when } from "./words.js";

export const policiesCommand = (): Command =>
  new Command("policies")
    .description("when a probe's remediation may run")
    .addCommand(listCommand())
    .addCommand(setCommand())
    .addCommand(deleteCommand());

const listCommand = (): Command =>
  listing(new Command("list").description("the policy of every probe that has one"), {
    query:
      ({ client }) =>
      async (page) =>
        (await client.request(RemediationPoliciesDocument, page)).remediationPolicies,
    show: (out, policies) =>
      out.table(
        ["PROBE", "MODE", "COOLDOWN", "ATTEMPTS", "BREAKER", "MAX SHARE", "CHANGED", "BY"],
        policies.map((policy) => [
          policy.probe.name,
          policy.mode,
          policy.cooldown,
          `${policy.maxAttempts} per ${policy.window}`,
          policy.breakerOpenUntil
            ? out.paint("red", `open, ${when(policy.breakerOpenUntil, out.now)}`)
            : `after ${policy.breakerAfter}`,
          `${Math.round(policy.maxShare * 100)}%`,
          when(policy.updatedAt, out.now),
          policy.updatedBy,
        ]),
        "No policies: every remediation needs approval.",
      ),
  });

interface SetOptions {
  mode: PolicyMode;
  cooldown?: string;
  maxAttempts?: number;
  window?: string;
  breakerAfter?: number;
  maxShare?: number;
}

const setCommand = (): Command =>
  new Command("set")
    .description("decide how a probe's remediation runs")
    .argument("<probe>", "name or id")
    .addOption(new Option("--mode <mode>", "approval or automatic").argParser(one(PolicyMode)).makeOptionMandatory())
    .option("--cooldown <duration>", "least time between two runs on a target, for example 10m", duration)
    .addOption(new Option("--max-attempts <n>", "runs on a target within the window").argParser(wholeNumber(1, 100)))
    .option("--window <duration>", "for example 24h", duration)
    .addOption(new Option("--breaker-after <n>", "fixes in a row that did not help").argParser(wholeNumber(1, 20)))
    .addOption(new Option("--max-share <percent>", "of the group at once, for example 5%").argParser(share))
    .addHelpText("after", "\nAn option that is not given takes its default, also where the probe has a policy already.")
    .addHelpText("after", '\nExample:\n  poppo-ops policies set "web container" --mode automatic --cooldown 10m')
    .action(
      action<[string], SetOptions>(async ({ client, out }, options, probe) => {
        const input = { probeId: await probeId(client, probe), ...options };
        const { policy } = unwrap((await client.request(SetRemediationPolicyDocument, { input })).setRemediationPolicy);
        if (out.json) return out.document(policy);
        const { mode, cooldown, maxAttempts, window } = policy!;
        out.say(`${policy!.probe.name}: ${mode}, cooldown ${cooldown}, at most ${maxAttempts} per ${window}.`);
      }),
    );

const deleteCommand = (): Command =>
  new Command("delete")
    .description("every remediation of the probe needs approval again, within the default limits")
    .argument("<probe>", "name or id")
    .addHelpText("after", '\nExample:\n  poppo-ops policies delete "web container"')
    .action(
      action<[string]>(async ({ client, out }, _options, probe) => {
        const input = { id: await policyId(client, probe) };
        const { deletedId } = unwrap(
          (await client.request(DeleteRemediationPolicyDocument, { input })).deleteRemediationPolicy,
        );
        if (out.json) return out.document({ deletedId });
        out.say(`Deleted the policy of ${probe}: its remediations need approval again.`);
      }),
    );

/** People know the probe; the API wants the policy. */
async function policyId(client: Client, probe: string): Promise<string> {
  const id = await probeId(client, probe);
  const { nodes } = await readPages(
    { first: MAX_PAGE, all: true },
    async (page) => (await client.request(RemediationPoliciesDocument, page)).remediationPolicies,
  );
  const policy = nodes.find((policy) => policy.probe.id === id);
  if (!policy) throw notFound(`policy of probe "${probe}"`, "See `poppo-ops policies list`.");
  return policy.id;
}

function share(text: string): number {
  const percent = Number(/^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1]);
  if (percent > 0 && percent <= 100) return percent / 100;
  throw new InvalidArgumentError("It takes a percentage above 0 and up to 100, for example 5%.");
}
