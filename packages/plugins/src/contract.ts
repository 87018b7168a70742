import type { z } from "zod";
import type { Metrics, OutcomeStatus } from "./wire.js";

/**
 * What a plugin is. A plugin lives in a folder ("room") of its own: `config.ts` holds its manifest (zod schemas and
 * declarations, no library of the target, so that the server can read it), one file per probe and remediation holds the
 * code, `index.ts` joins both, `sample.yaml` and `README.md` show it.
 */

/** R0 reads · R1 reversible, no impact · R2 brief disruption · R3 changes data or configuration, or wide outage. */
export type Risk = "R0" | "R1" | "R2" | "R3";

/** One observation. `evidence` must already be free of secrets. */
export interface Outcome {
  /** Tells the targets of one probe apart (a container name, a mount point). Absent when the probe has one target. */
  item?: string;
  status: OutcomeStatus;
  /** One line for a person: what was seen, with the value and the limit. */
  summary: string;
  metrics?: Metrics;
  evidence?: Readonly<Record<string, unknown>>;
}

type Details = Pick<Outcome, "item" | "evidence">;
const outcome =
  (status: OutcomeStatus) =>
  (summary: string, metrics?: Metrics, details?: Details): Outcome => ({ status, summary, metrics, ...details });

export const ok = outcome("OK");
export const warn = outcome("WARN");
export const crit = outcome("CRIT");
/** The probe could not tell: absent metric, wrong program, rate limit, exec into a restarting container. Never OK, never "down". */
export const unknown = outcome("UNKNOWN");
/** There is nothing of the kind here; `summary` gives the reason. */
export const notApplicable = outcome("NOT_APPLICABLE");

export interface ProbeContext {
  /** Aborts at the probe's timeout and when the agent stops. */
  signal: AbortSignal;
  /** Milliseconds since 1970; may jump. For durations and rates there is `monotonic`. */
  now(): number;
  /** Milliseconds that never jump, from an arbitrary start that differs after every start of the agent. */
  monotonic(): number;
  /** What this probe kept from its last run (counters for rates); plain JSON, held in the agent's memory. */
  memory: Map<string, unknown>;
}

/** What the server knows of a probe without running it. */
export interface ProbeManifest<Config extends z.ZodType = z.ZodType> {
  title: string;
  description: string;
  config: Config;
  /** Suggested schedule. */
  intervalMs: number;
  timeoutMs: number;
}

export interface Probe<Config extends z.ZodType = z.ZodType> extends ProbeManifest<Config> {
  /** Resolves when the target answered, however badly. Throws only if the probe itself could not run. */
  run(config: z.output<Config>, context: ProbeContext): Promise<Outcome | Outcome[]>;
}

export interface RemediationContext {
  /** Aborts when the run is cancelled or times out. Child processes must end with it. */
  signal: AbortSignal;
  /** As in `ProbeContext`. */
  now(): number;
  /** As in `ProbeContext`. */
  monotonic(): number;
  /** A line of live output, already free of secrets. */
  output(text: string, stream?: "stdout" | "stderr"): void;
  /**
   * Runs `argv` in its own process group, streams its output, and stops it INT → TERM → KILL on abort. It gets
   * `loginEnvironment()` and `env`.
   */
  exec(
    argv: readonly [string, ...string[]],
    options?: { cwd?: string; env?: Record<string, string> },
  ): Promise<{ exitCode: number }>;
}

/** What a login gives a program. The rest of the agent's environment holds its secrets; what it starts does not get it. */
export function loginEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, LANG } = process.env;
  return { PATH, HOME, LANG };
}

/** What would be done, resolved against the world as it is now, or an honest "cannot preview". */
export type Preview = { possible: true; actions: string[]; refusals: string[] } | { possible: false; reason: string };

export interface RemediationManifest<Input extends z.ZodType = z.ZodType> {
  title: string;
  description: string;
  input: Input;
  risk: Risk;
  /** Running it twice does what running it once does. */
  idempotent: boolean;
  /** `true`: the plugin implements `rollback`. A sentence: why the act cannot be undone, or need not be. */
  reversible: true | string;
  timeoutMs: number;
  /** The probe that proves the effect: `<plugin>.<probe>`, and how long it may take to be green. */
  verify: { probe: string; withinMs: number };
  /** What the run must have alone, as a short stable name: `docker/web`. Pure. */
  target(input: z.output<Input>): string;
}

export interface Remediation<Input extends z.ZodType = z.ZodType> extends RemediationManifest<Input> {
  preview(input: z.output<Input>, context: RemediationContext): Promise<Preview>;
  /** Checks its preconditions again, acts, and resolves with one line about what was done. Throws when it could not. */
  run(input: z.output<Input>, context: RemediationContext): Promise<{ summary: string }>;
  rollback?(input: z.output<Input>, context: RemediationContext): Promise<{ summary: string }>;
}

export interface PluginManifest {
  name: string;
  version: string;
  description: string;
  probes: Record<string, ProbeManifest>;
  remediations: Record<string, RemediationManifest>;
}

export interface Plugin extends Omit<PluginManifest, "probes" | "remediations"> {
  probes: Record<string, Probe>;
  remediations: Record<string, Remediation>;
}

export const defineManifest = <const Manifest extends PluginManifest>(manifest: Manifest): Manifest => manifest;

export const defineProbe = <Config extends z.ZodType>(
  manifest: ProbeManifest<Config>,
  run: Probe<Config>["run"],
): Probe<Config> => ({ ...manifest, run });

export const defineRemediation = <Input extends z.ZodType>(
  manifest: RemediationManifest<Input>,
  acts: Pick<Remediation<Input>, "preview" | "run" | "rollback">,
): Remediation<Input> => ({ ...manifest, ...acts });

/** Joins a manifest with its code; the compiler checks that every declared probe and remediation is there. */
export function definePlugin<const Manifest extends PluginManifest>(
  manifest: Manifest,
  code: {
    // biome-ignore lint/suspicious/noExplicitAny: a probe is contravariant in its config; the manifest has typed it already
    probes: { [Name in keyof Manifest["probes"]]: Probe<any> };
    // biome-ignore lint/suspicious/noExplicitAny: as above
    remediations: { [Name in keyof Manifest["remediations"]]: Remediation<any> };
  },
): Plugin {
  return { ...manifest, probes: { ...code.probes }, remediations: { ...code.remediations } };
}
