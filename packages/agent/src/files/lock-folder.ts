import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startTimeOf } from "../processes/proc.js";

/**
 * Makes this process the only one that uses `folder`; call the result to give it back. A lock left by a process that
 * is gone is taken over: the holder is known by pid and start time, so a reused pid does not keep it.
 * @throws naming the process that holds it
 */
export function lockFolder(folder: string, newId: () => string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = join(folder, "agent.lock");
  const mine = join(folder, `agent.lock.${newId()}`);
  writeFileSync(mine, JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) }));
  try {
    if (!tryLink(mine, lock)) {
      const holder = readHolder(lock);
      if (holder && isAlive(holder))
        throw new Error(
          `another agent (pid ${holder.pid}) uses ${folder}; stop it, or give this one its own \`dataDir\``,
        );
      rmSync(lock, { force: true });
      if (!tryLink(mine, lock)) throw new Error(`another agent has just taken ${folder}`);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  return () => rmSync(lock, { force: true });
}

interface Holder {
  pid: number;
  startTime: number | undefined;
}

/** A hard link appears whole or not at all, and fails when the name is taken. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readHolder(lock: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(lock, "utf8")) as Holder;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, startTime }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return startTime === undefined || startTimeOf(pid) === startTime;
}
