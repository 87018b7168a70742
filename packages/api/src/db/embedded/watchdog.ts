import { spawn } from "node:child_process";
import type { Account } from "./account.js";

/**
 * Shuts PostgreSQL down when this process dies without doing so (kill -9): a shell waits on a pipe that the kernel closes with us.
 * Linux could signal the child itself (PR_SET_PDEATHSIG), but Node cannot ask for it, and macOS does not know it.
 * Returns the function that calls it off, to be used once PostgreSQL has ended: its pid may then be another's.
 */
export function watchOver(pid: number, { uid, gid }: Account): () => Promise<void> {
  const watchdog = spawn("/bin/sh", ["-c", 'read -r _; kill -INT "$1"', "poppo-ops-watchdog", String(pid)], {
    uid,
    gid,
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const gone = new Promise<void>((resolve) => watchdog.on("error", () => resolve()).on("exit", () => resolve()));
  watchdog.unref();
  return () => {
    watchdog.kill("SIGKILL");
    return gone;
  };
}
