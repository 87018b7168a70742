import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Home } from "./home.js";

/**
 * Clears what a server that was killed left behind, for the one who holds the owner lock: stops its PostgreSQL if that still runs,
 * and makes sure that a left-over postmaster.pid cannot keep the next one from starting.
 */
export async function clearOrphan(home: Home, log: (line: string) => void): Promise<void> {
  const pidFile = join(home.data, "postmaster.pid");
  const content = await readFile(pidFile, "utf8").catch(() => "");
  const pid = Number.parseInt(content, 10);
  if (pid > 0 && (await isPostmaster(pid, home.data))) {
    log(`PostgreSQL (pid ${pid}) has outlived the server that started it; stopping it`);
    await stopOrphan(pid, home.data);
  } else if (await answers(join(home.sockets, ".s.PGSQL.5432"))) {
    throw new Error(
      `A PostgreSQL that this process cannot see (in another container?) runs on ${home.data}. Stop it, or set POPPO_DATA_DIR to another place.`,
    );
  } else if (content) {
    // The number may be another process's by now, and PostgreSQL would wait for that one. Its parent's number it takes for stale, and
    // goes on to look for backends that still hold the shared memory named below; deleting the file would skip that check.
    await writeFile(pidFile, content.replace(/^\S+/, String(process.pid)));
  }
  await rm(join(home.sockets, ".s.PGSQL.5432.lock"), { force: true });
  await rm(join(home.sockets, ".s.PGSQL.5432"), { force: true });
}

/** By its command line: root in a container may not look at another user's /proc/<pid>/cwd. */
async function isPostmaster(pid: number, data: string): Promise<boolean> {
  const command =
    process.platform === "linux"
      ? (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).replaceAll("\0", " ")
      : (await promisify(execFile)("ps", ["-o", "args=", "-p", String(pid)]).catch(() => ({ stdout: "" }))).stdout;
  return command.includes(`postgres -D ${data} `);
}

async function stopOrphan(pid: number, data: string): Promise<void> {
  for (const killer of ["SIGINT", "SIGQUIT"] as const) {
    kill(pid, killer);
    const late = AbortSignal.timeout(15_000);
    while (!late.aborted) {
      if (!(await isPostmaster(pid, data))) return;
      await sleep(10);
    }
  }
  throw new Error(`PostgreSQL (pid ${pid}) on ${data} does not stop. End that process, then start again.`);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  return once(socket, "connect")
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}
