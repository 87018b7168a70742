import { AsyncLocalStorage } from "node:async_hooks";
import type { Result } from "@poppo-ops/plugins/wire";
import { type Clock, within } from "../clock.js";
import type { Plugins } from "../plugins/plugins.js";
import { readConfig } from "../plugins/read-config.js";
import type { Assignment } from "./assignment.js";
import { limitOutcomes, observation } from "./limit-outcome.js";

export interface RunProbeOptions {
  plugins: Plugins;
  clock: Clock;
  redact(text: string): string;
}

export interface ProbeRun {
  results: Result[];
  /** The probe ignored its signal and is still running somewhere; its result will be discarded. */
  abandoned: boolean;
}

/** Which probe the running code belongs to, for errors that reach nobody. */
export const runningProbe = new AsyncLocalStorage<Assignment>();

/**
 * How long a probe may take to end after its signal was aborted, before it counts as ignoring it: more than the two
 * seconds from TERM to KILL, and the half second for pipes, of `exec.nagios`.
 */
const ABORT_GRACE_MS = 3000;
const TIMED_OUT = Symbol("timed out");
const STOPPED = new Error("the agent stops");

/** Runs a probe once. Never rejects: whatever goes wrong is a result. `stop` ends it as INTERRUPTED. */
export async function runProbe(
  assignment: Assignment,
  memory: Map<string, unknown>,
  stop: AbortSignal,
  options: RunProbeOptions,
): Promise<ProbeRun> {
  const { clock, redact } = options;
  const at = clock.now();
  const startedAt = clock.monotonic();
  const end = (observations: ReturnType<typeof limitOutcomes>, abandoned = false): ProbeRun => ({
    abandoned,
    results: observations.map((it) => ({
      ...it,
      probeId: assignment.probeId,
      at,
      durationMs: Math.max(0, Math.round(clock.monotonic() - startedAt)),
    })),
  });

  const interrupted = () => end([observation("INTERRUPTED", "the agent stopped before the probe ended")]);
  if (stop.aborted) return interrupted();

  const abort = new AbortController();
  const limit = `no answer within ${assignment.timeoutMs} ms`;
  const interrupt = () => abort.abort(STOPPED);
  const cancelTimeout = clock.after(assignment.timeoutMs, () => abort.abort(new Error(limit)));
  const ended = new Promise<typeof TIMED_OUT | typeof STOPPED>((resolve) => {
    abort.signal.addEventListener("abort", () => resolve(abort.signal.reason === STOPPED ? STOPPED : TIMED_OUT));
  });
  stop.addEventListener("abort", interrupt, { once: true });
  try {
    const running = runningProbe.run(assignment, () => call(assignment, memory, abort.signal, options));
    const outcome = await Promise.race([ended, running]);
    if (outcome !== STOPPED && outcome !== TIMED_OUT) return end(limitOutcomes(outcome));
    const settled = running.then(
      () => undefined,
      () => undefined,
    );
    const late = (await within(clock, ABORT_GRACE_MS, settled)) === "late";
    return outcome === STOPPED ? interrupted() : end([observation("TIMEOUT", limit)], late);
  } catch (error) {
    return end([observation("UNKNOWN", redact(error instanceof Error ? error.message : String(error)))]);
  } finally {
    cancelTimeout();
    stop.removeEventListener("abort", interrupt);
  }
}

async function call(
  assignment: Assignment,
  memory: Map<string, unknown>,
  signal: AbortSignal,
  options: RunProbeOptions,
) {
  const { clock } = options;
  const probe = await options.plugins.probe(assignment.kind);
  const config = readConfig(probe.config, assignment.config, `the config of ${assignment.kind}`);
  return probe.run(config, { signal, memory, now: () => clock.now(), monotonic: () => clock.monotonic() });
}
