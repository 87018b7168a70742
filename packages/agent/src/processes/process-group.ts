import { type Clock, sleep } from "../clock.js";
import { bootId, hasEnvironment, inspect, listProcesses, startTimeOf } from "./proc.js";

/** Every process a command starts carries its id in this variable, and so do their children. */
export const COMMAND_VARIABLE = "POPPO_COMMAND_ID";

/** A group that was started by `exec`. The start time of its leader tells it from a later one with the same number. */
export interface ProcessGroup {
  pid: number;
  startTime?: number;
}

export interface Graces {
  /** From INT to TERM. */
  intMs: number;
  /** From TERM to KILL. */
  termMs: number;
  /** From KILL to giving up: a process in the kernel cannot be killed. */
  killMs: number;
}

export const GRACES: Graces = { intMs: 5000, termMs: 5000, killMs: 1000 };
const LOOK_EVERY_MS = 25;

export const groupOf = (pid: number): ProcessGroup => ({ pid, startTime: startTimeOf(pid) });

/** INT, then TERM, then KILL to the whole group; resolves when nothing of it is left or KILL did not help. */
export async function stopGroup(group: ProcessGroup, clock: Clock, graces: Graces = GRACES): Promise<void> {
  const steps = [
    ["SIGINT", graces.intMs],
    ["SIGTERM", graces.termMs],
    ["SIGKILL", graces.killMs],
  ] as const;
  for (const [signal, graceMs] of steps) {
    if (membersOf(group).length === 0) return;
    signalGroup(group.pid, signal);
    const until = clock.monotonic() + graceMs;
    while (clock.monotonic() < until && membersOf(group).length > 0)
      await sleep(clock, Math.min(LOOK_EVERY_MS, until - clock.monotonic()));
  }
}

/**
 * Process ids of a command that still run: members of its groups and sessions, and whatever left them but carries the
 * command's id in its environment.
 */
export function survivorsOf(commandId: string, groups: readonly ProcessGroup[]): number[] {
  const members = groups.flatMap((group) => membersOf(group));
  const marked = listProcesses().filter(({ pid }) => hasEnvironment(pid, COMMAND_VARIABLE, commandId));
  return [...new Set([...members, ...marked.map(({ pid }) => pid)])].sort((a, b) => a - b);
}

/** Groups of an earlier boot are gone, and their numbers mean something else. */
export const isThisBoot = (recorded: string): boolean => recorded === bootId();

/**
 * A number can name a new group only after the old one has no member left, and then the new leader has another start
 * time; without a leader the members are still ours.
 */
function membersOf({ pid, startTime }: ProcessGroup): number[] {
  if (startTime === undefined) return isAlive(-pid) ? [pid] : [];
  const leader = inspect(pid);
  if (leader && leader.startTime !== startTime) return [];
  return listProcesses()
    .filter(({ group, session }) => group === pid || session === pid)
    .map((member) => member.pid);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
