import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

export interface DaemonOptions {
  cwd?: string;
  env: Record<string, string>;
  logFile?: string;
  pidFile?: string;
  signal: AbortSignal;
}

export interface Started {
  pid: number;
  /** Set when it ended while we watched. */
  ended?: string;
}

/** How long a fresh daemon is watched: one that cannot start says so at once. */
const WATCH_MS = 500;
// Root appends to this file, so a link somebody put in its place is refused.
const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;

/** Starts a program in a session of its own, so that it outlives this process. @throws when it cannot be started */
export async function startDaemon(command: readonly [string, ...string[]], options: DaemonOptions): Promise<Started> {
  const { cwd, env, logFile, pidFile, signal } = options;
  const [file, ...args] = command;
  const log = logFile === undefined ? undefined : await open(logFile, APPEND, 0o640);
  try {
    const output = log?.fd ?? "ignore";
    const child = spawn(file, args, {
      cwd,
      env: { ...inherited(), ...env },
      detached: true,
      stdio: ["ignore", output, output],
    });
    await once(child, "spawn");
    const pid = child.pid as number;
    if (pidFile !== undefined) await writeFile(pidFile, `${pid}\n`);
    const ended = await Promise.race([
      once(child, "exit").then(([code, by]) => (by ? `ended by ${by}` : `exited with ${code}`)),
      watched(signal),
    ]);
    child.unref();
    return { pid, ended };
  } finally {
    await log?.close();
  }
}

/** The agent's environment holds its secrets: a service gets what a login would give it. */
const inherited = (): NodeJS.ProcessEnv => {
  const { PATH, HOME, LANG } = process.env;
  return { PATH, HOME, LANG };
};

const watched = (signal: AbortSignal): Promise<undefined> =>
  setTimeout(WATCH_MS, undefined, { signal }).catch(() => undefined);
