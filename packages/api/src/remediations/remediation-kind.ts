import type { RemediationManifest } from "@poppo-ops/plugins";
import { redact } from "@poppo-ops/plugins";
import { findRemediation, remediationKinds } from "@poppo-ops/plugins/manifests";
import { unknownKind } from "../agents/unknown-kind.js";
import { badInput } from "../kernel/command.js";

/** What would be done: a remediation with its input, checked, and the target it would touch. */
export interface Remedy {
  kind: string;
  input: Record<string, unknown>;
  target: string;
  manifest: RemediationManifest;
}

/** @throws {AppError} BAD_INPUT naming the kinds there are, or the field of the input that is wrong */
export function resolveRemedy(kind: string, given: unknown): Remedy {
  const manifest = manifestOf(kind);
  const parsed = manifest.input.safeParse(given);
  if (!parsed.success)
    throw badInput(parsed.error.issues.map(({ path, message }) => ({ field: ["input", ...path].join("."), message })));
  return {
    kind,
    input: parsed.data as Record<string, unknown>,
    target: manifest.target(parsed.data as never),
    manifest,
  };
}

/** @throws {AppError} BAD_INPUT: the kind is unknown */
export function manifestOf(kind: string): RemediationManifest {
  const manifest = findRemediation(kind);
  if (manifest) return manifest;
  throw badInput([{ field: "kind", message: unknownKind("remediation", kind, remediationKinds()) }]);
}

/** What a run of a kind that this server does not know any more is taken for: the worst. */
const UNKNOWN_KIND = {
  risk: "R3",
  idempotent: false,
  reversible: "its plugin is not known",
  timeoutMs: 10 * 60_000,
  verify: { withinMs: 60_000 },
} as const;

/** The declarations of a kind that was checked when its run was made. */
export const declarationsOf = (
  kind: string,
): Pick<RemediationManifest, "risk" | "idempotent" | "reversible" | "timeoutMs"> & { verify: { withinMs: number } } =>
  findRemediation(kind) ?? UNKNOWN_KIND;

const REDACTED = "[redacted]";

/** An input as it may be shown: without the values of what looks like a secret. */
export function redactInput(input: unknown, key = "value"): unknown {
  if (typeof input === "string")
    return redact(`${key}=${JSON.stringify(input)}`) === `${key}=${REDACTED}` ? REDACTED : redact(input);
  if (Array.isArray(input)) return input.map((value) => redactInput(value, key));
  if (typeof input !== "object" || input === null) return input;
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, redactInput(value, name)]));
}
