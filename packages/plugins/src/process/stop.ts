import { setTimeout } from "node:timers/promises";
import type { RemediationContext } from "../contract.js";
import type { RestartInput } from "./config.js";
import { isAlive, type Process, programName } from "./proc.js";

const POLL_MS = 50;

/**
 * Ends the processes: asks (by `stop` or TERM), waits, then KILL for what is left.
 * @throws when something survives KILL, or the run is aborted
 */
export async function stopProcesses(
  processes: readonly Process[],
  { stop, cwd, env, graceMs }: Pick<RestartInput, "stop" | "cwd" | "env" | "graceMs">,
  context: RemediationContext,
): Promise<void> {
  if (stop) {
    const { exitCode } = await context.exec(stop, { cwd, env });
    context.output(`${stop[0]} exited with ${exitCode}\n`);
  }
  const left = stop ? await gone(processes, graceMs, context) : [...processes];
  for (const process of roots(left)) await send("SIGTERM", process, context);
  const stubborn = await gone(left, graceMs, context);
  for (const process of stubborn) await send("SIGKILL", process, context);
  const survivors = await gone(stubborn, 5_000, context);
  if (survivors.length > 0)
    throw new Error(`${survivors.map(({ pid }) => pid).join(", ")} survived KILL; nothing was started`);
}

/** A parent ends its workers; TERM to both makes some programs report a crash of the worker. */
function roots(processes: readonly Process[]): Process[] {
  const pids = new Set(processes.map(({ pid }) => pid));
  return processes.filter(({ ppid }) => !pids.has(ppid));
}

async function send(signal: NodeJS.Signals, target: Process, { output }: RemediationContext): Promise<void> {
  // Pid and start time again, right before the signal: the pid may be somebody else's by now.
  if (!(await isAlive(target))) return;
  try {
    process.kill(target.pid, signal);
    output(`${signal} to ${programName(target)} (pid ${target.pid})\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Waits until all are gone; resolves with those that are not, once `withinMs` have passed. */
async function gone(processes: readonly Process[], withinMs: number, context: RemediationContext): Promise<Process[]> {
  const deadline = context.monotonic() + withinMs;
  for (;;) {
    const alive = await Promise.all(processes.map(isAlive));
    const left = processes.filter((_, i) => alive[i]);
    if (left.length === 0 || context.monotonic() >= deadline) return left;
    await setTimeout(POLL_MS, undefined, { signal: context.signal });
  }
}
