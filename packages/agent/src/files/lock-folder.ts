import { mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../config/config-error.js";
import { startTimeOf } from "../processes/proc.js";

/**
 * Makes this process the only one that uses `folder`; call the result to give it back. A lock left by a process that
 * is gone is taken over: the holder is known by pid and start time, so a reused pid does not keep it.
 *
 * The lock is a symbolic link to nothing, named after its holder: it appears whole or not at all, fails when it is
 * there, and needs no space on a full disk.
 * @throws naming the process that holds it
 */
export function lockFolder(folder: string): () => void {
  makeFolder(folder);
  const lock = join(folder, "agent.lock");
  if (!take(lock)) {
    const { pid, isAlive } = holderOf(lock);
    if (isAlive)
      throw new Error(`another agent (pid ${pid}) uses ${folder}; stop it, or give this one its own \`dataDir\``);
    rmSync(lock, { force: true });
    if (!take(lock)) throw new Error(`another agent has just taken ${folder}`);
  }
  return () => rmSync(lock, { force: true });
}

function take(lock: string): boolean {
  try {
    symlinkSync(`${process.pid}:${startTimeOf(process.pid) ?? ""}`, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function holderOf(lock: string): { pid: number; isAlive: boolean } {
  const [pid = "", startTime = ""] = readlinkSync(lock).split(":");
  const isSame = startTime === "" || startTime === String(startTimeOf(Number(pid)) ?? "");
  return { pid: Number(pid), isAlive: isSame && answers(Number(pid)) };
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = (cause as Error).message;
    throw new ConfigError(`dataDir cannot be made: ${why}; set it to a folder that this user may write`, { cause });
  }
}
