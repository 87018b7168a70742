import { readdirSync, readFileSync } from "node:fs";

/** A process as Linux shows it in /proc. Elsewhere nothing is found, and callers fall back to signals. */
export interface ProcessInfo {
  pid: number;
  group: number;
  session: number;
  state: string;
  /** Clock ticks since boot; with the pid it names one process for ever. */
  startTime: number;
}

/** @returns `undefined` when the process is gone */
export function inspect(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command name may hold spaces and parentheses; the fields begin behind its last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      pid,
      state: fields[0] ?? "",
      group: Number(fields[2]),
      session: Number(fields[3]),
      startTime: Number(fields[19]),
    };
  } catch {
    return undefined;
  }
}

export const startTimeOf = (pid: number): number | undefined => inspect(pid)?.startTime;

/** Every process that runs, without zombies. */
export function listProcesses(): ProcessInfo[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => inspect(Number(name)) ?? [])
      .filter(({ state }) => state !== "Z" && state !== "X");
  } catch {
    return [];
  }
}

/** Whether the process was started with `variable=value` in its environment, or inherited it. */
export function hasEnvironment(pid: number, variable: string, value: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`${variable}=${value}`);
  } catch {
    return false;
  }
}

/** Differs after every start of the host. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown";
  }
}
