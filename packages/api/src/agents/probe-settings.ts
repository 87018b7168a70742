import { didYouMean, explainConfigError } from "@poppo-ops/plugins";
import { findProbe, findRemediation, manifests, probeKinds, remediationKinds } from "@poppo-ops/plugins/manifests";
import { z } from "zod";
import { badInput } from "../kernel/command.js";
import { type SignalRules, signalRules } from "../signals/signal-rules.js";
import { unknownKind } from "./unknown-kind.js";
import { withItem } from "./with-item.js";

type Manifest = Pick<NonNullable<ReturnType<typeof findProbe>>, "config" | "intervalMs" | "timeoutMs">;

/** A probe of a plugin that only agents have: its config is theirs to check. */
const FOREIGN: Manifest = { config: z.record(z.string(), z.unknown()), intervalMs: 60_000, timeoutMs: 10_000 };

/** @throws {AppError} BAD_INPUT listing the kinds there are */
export function manifestOf(kind: string): Manifest {
  const manifest = findProbe(kind);
  if (manifest) return manifest;
  if (isForeign(kind)) return FOREIGN;
  throw badInput([
    { field: "kind", message: `${unknownKind("probe", kind, probeKinds())} \`plugins\` describes them.` },
  ]);
}

/** `<plugin>.<probe>` of a plugin that is not built in, and whose name is no misspelt one of ours. */
function isForeign(kind: string): boolean {
  const plugin = /^([a-z][a-z0-9-]*)\.[a-z][\w.-]*$/i.exec(kind)?.[1];
  const builtIn = Object.keys(manifests);
  return plugin !== undefined && !builtIn.includes(plugin) && didYouMean(plugin, builtIn) === "";
}

/**
 * The config as it was given, once the plugin's schema has taken it. Not as parsed: what the schema adds is the agent's
 * to add, by its own version of the plugin.
 */
export function checkConfig(manifest: Manifest, config: Record<string, unknown>): Record<string, unknown> {
  check("config", manifest.config, config);
  return config;
}

/** The rules with `changes` made to them; what was never said has its default. */
export function mergeRules(before: SignalRules | undefined, changes: Record<string, unknown> = {}): SignalRules {
  const { flapping } = changes;
  const both = isObject(flapping) ? { flapping: { ...before?.flapping, ...flapping } } : {};
  const rules = check("rules", signalRules, { ...before, ...changes, ...both });
  if (rules.flapping.low >= rules.flapping.high)
    throw badInput([
      {
        field: "rules",
        message: `flapping.low (${rules.flapping.low}) must be below flapping.high (${rules.flapping.high}).`,
      },
    ]);
  return rules;
}

/** @throws {AppError} BAD_INPUT: the kind is unknown, or the input does not fit it */
export function checkRemediation<Given extends { kind: string; input: Record<string, unknown> } | null | undefined>(
  remediation: Given,
): Given {
  if (!remediation) return remediation;
  const { kind, input } = remediation;
  const manifest = findRemediation(kind);
  if (!manifest)
    throw badInput([{ field: "remediation", message: unknownKind("remediation", kind, remediationKinds()) }]);
  // Without any input, whoever asks for the remediation gives it.
  if (Object.keys(input).length === 0) return remediation;
  const issues = manifest.input.safeParse(withItem(input, "item")).error?.issues ?? [];
  const known = issues.filter((issue) => issue.code === "unrecognized_keys" || !waitsForItem(input, issue.path));
  if (known.length > 0)
    throw badInput([
      { field: "remediation", message: `input: ${explainConfigError(new z.ZodError(known), manifest.input, input)}` },
    ]);
  return remediation;
}

/** Whether a value fits is not known before the item that fails stands in it. */
const waitsForItem = (input: unknown, path: readonly PropertyKey[]): boolean =>
  JSON.stringify(
    path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input) ?? null,
  ).includes("{item}");

/** A probe that takes longer than from one run to the next would never be done. */
export function checkTiming(timing: { intervalMs: number; retryIntervalMs: number; timeoutMs: number }): void {
  if (timing.retryIntervalMs > timing.intervalMs)
    throw badInput([
      { field: "retryInterval", message: "It is longer than the interval; it is for looking more often." },
    ]);
}

/** Retrying three times as often tells a blip from a failure soon. */
export const defaultRetryMs = (intervalMs: number): number =>
  Math.min(intervalMs, Math.max(1000, Math.round(intervalMs / 3)));

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function check<Schema extends z.ZodType>(field: string, schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw badInput([{ field, message: explainConfigError(parsed.error, schema, given) }]);
}
