import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { loginEnvironment } from "../contract.js";

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
// Root writes to these files, so a link somebody put in their place is refused.
const WRITE = constants.O_WRONLY | constants.O_NOFOLLOW;
const CREATE = WRITE | constants.O_CREAT;
const APPEND = CREATE | constants.O_APPEND;

/** Starts a program in a session of its own, so that it outlives this process. @throws when it cannot be started */
export async function startDaemon(command: readonly [string, ...string[]], options: DaemonOptions): Promise<Started> {
  const { cwd, env, logFile, pidFile, signal } = options;
  const [file, ...args] = command;
  // Opened before the start: a daemon whose pid file cannot be written would be started a second time.
  const pids = pidFile === undefined ? undefined : await openPidFile(pidFile);
  let log: FileHandle | undefined;
  try {
    if (logFile !== undefined) log = await open(logFile, APPEND, 0o640);
    const output = log?.fd ?? "ignore";
    const child = spawn(file, args, {
      cwd,
      env: { ...loginEnvironment(), ...env },
      detached: true,
      stdio: ["ignore", output, output],
    });
    await once(child, "spawn");
    const pid = child.pid as number;
    await pids?.write(pid);
    const ended = await Promise.race([
      once(child, "exit").then(([code, by]) => (by ? `ended by ${by}` : `exited with ${code}`)),
      watched(signal),
    ]);
    child.unref();
    return { pid, ended };
  } finally {
    await pids?.close();
    await log?.close();
  }
}

/** Why an existing pid file cannot be written, or undefined: to be asked before anything is stopped. */
export async function pidFileRefusal(path: string): Promise<string | undefined> {
  try {
    await (await open(path, WRITE)).close();
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? undefined : `pid file ${path} cannot be written: ${message}`;
  }
}

/** `close` leaves no empty file behind, on whose word nothing could be restarted. */
async function openPidFile(path: string): Promise<{ write(pid: number): Promise<void>; close(): Promise<void> }> {
  const file = await open(path, CREATE, 0o644);
  return {
    async write(pid) {
      await file.truncate();
      await file.write(`${pid}\n`);
    },
    async close() {
      const { size } = await file.stat();
      await file.close();
      if (size === 0) await rm(path, { force: true });
    },
  };
}

const watched = (signal: AbortSignal): Promise<undefined> =>
  setTimeout(WATCH_MS, undefined, { signal }).catch(() => undefined);
