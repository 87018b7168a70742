import type { Remediation, RemediationContext } from "@poppo-ops/plugins";
import { type Clock, within } from "../clock.js";
import type { OutputLog } from "../output/output-log.js";
import { type Graces, type ProcessGroup, survivorsOf } from "../processes/process-group.js";
import { runProcess } from "../processes/run-process.js";
import type { End, Journal } from "./journal.js";
import { Stopped } from "./stopped.js";

export interface ActOptions {
  commandId: string;
  timeoutMs: number;
  abort: AbortController;
  output: OutputLog;
  journal: Journal;
  clock: Clock;
  graces: Graces;
  redact(text: string): string;
}

/** How long an act may go on after it was stopped and its processes are dead. */
const SETTLE_MS = 1000;

/**
 * Runs one act of a remediation with its time limit and everything it starts. When it is stopped, its processes are
 * dead, or named as survivors, before this resolves. Never rejects.
 */
export async function act(work: (context: RemediationContext) => Promise<End>, options: ActOptions): Promise<End> {
  const { abort, clock, timeoutMs, output } = options;
  const groups: ProcessGroup[] = [];
  const processes = new Set<Promise<unknown>>();
  const cancelTimeout = clock.after(timeoutMs, () =>
    abort.abort(new Stopped("TIMED_OUT", `did not end within ${timeoutMs} ms`)),
  );
  const stopped = new Promise<void>((resolve) => {
    if (abort.signal.aborted) resolve();
    abort.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    const running = settle(() => work(contextFor(options, groups, processes)), options.redact);
    const end = await Promise.race([running, stopped]);
    if (end && !abort.signal.aborted) return end;
    await Promise.allSettled(processes);
    await within(clock, SETTLE_MS, running);
    return stoppedEnd(abort.signal.reason, survivorsOf(options.commandId, groups));
  } finally {
    cancelTimeout();
    // A process the act has started and not waited for.
    abort.abort(new Stopped("INTERRUPTED", "the act has ended"));
    await Promise.allSettled(processes);
    output.end();
  }
}

function contextFor(options: ActOptions, groups: ProcessGroup[], processes: Set<Promise<unknown>>): RemediationContext {
  const { abort, clock, commandId, graces, journal, output } = options;
  return {
    signal: abort.signal,
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    output: (text, stream = "stdout") => output.write(stream, text.endsWith("\n") ? text : `${text}\n`),
    exec(argv, { cwd, env } = {}) {
      const running = runProcess({
        ...{ argv, cwd, env, commandId, clock, graces, signal: abort.signal },
        onStart(group) {
          groups.push(group);
          journal.markGroup(commandId, group);
        },
        onOutput: (stream, data) => output.write(stream, data),
      });
      processes.add(running);
      const forget = () => processes.delete(running);
      running.then(forget, forget);
      return running;
    },
  };
}

async function settle(work: () => Promise<End>, redact: (text: string) => string): Promise<End> {
  try {
    return await work();
  } catch (error) {
    return { end: "FAILED", summary: redact(error instanceof Error ? error.message : String(error)) };
  }
}

function stoppedEnd(reason: unknown, survivors: number[]): End {
  const why = reason instanceof Stopped ? reason : new Stopped("INTERRUPTED", String(reason));
  return { end: why.end, summary: `${why.message}; ${describeSurvivors(survivors)}`, survivors };
}

export const describeSurvivors = (survivors: readonly number[]): string =>
  survivors.length === 0 ? "no process survived" : `still running: pid ${survivors.join(", ")}`;

/** @returns how the run ended; the summary is the plugin's */
export const runWork =
  (remediation: Remediation, input: unknown, redact: (text: string) => string) =>
  async (context: RemediationContext): Promise<End> => {
    const { summary } = await remediation.run(input, context);
    return { end: "SUCCEEDED", summary: redact(summary) };
  };
