import { readFile } from "node:fs/promises";
import { listPids, openFiles } from "./proc.js";

const LISTEN = "0A";

/** The socket inodes that listen on the port, from the text of `/proc/net/tcp` or `tcp6`. */
export function listeningInodes(table: string, port: number): string[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((row) => {
      const [, local = "", , state, , , , , , inode] = row.trim().split(/\s+/);
      const listens = state === LISTEN && Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16) === port;
      return listens && inode ? [inode] : [];
    });
}

/** Who listens on the TCP port, in this network namespace. `isOpen` without pids: the owner is not ours to see. */
export async function portOwners(port: number): Promise<{ isOpen: boolean; pids: number[] }> {
  const tables = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "utf8").catch(() => "")),
  );
  const sockets = new Set(tables.flatMap((table) => listeningInodes(table, port)).map((inode) => `socket:[${inode}]`));
  if (sockets.size === 0) return { isOpen: false, pids: [] };

  const pids: number[] = [];
  for (const pid of await listPids()) {
    if ((await openFiles(pid))?.some((file) => sockets.has(file))) pids.push(pid);
  }
  return { isOpen: true, pids };
}
