import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";

/** Blocks as statfs(2) gives them; `bavail` is what an ordinary user may still take. */
export interface FileSystem {
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
}

/** All that the probes ask of the machine. */
export interface Host {
  platform: NodeJS.Platform;
  /** Appended to figures that are of the whole host although the agent sits in a container. */
  scope: string;
  /** A file below the root, such as `/proc/stat`, as text. */
  read(path: string): Promise<string>;
  exists(path: string): Promise<boolean>;
  statfs(path: string): Promise<FileSystem>;
  cpus: typeof cpus;
  loadavg: typeof loadavg;
}

/** The machine whose `/proc` and `/sys` are below `root`. */
export function hostAt(root = "/", platform: NodeJS.Platform = process.platform): Host {
  const inContainer = existsSync(join(root, ".dockerenv")) || existsSync(join(root, "run/.containerenv"));
  return {
    platform,
    scope: inContainer ? " (whole host; the agent runs in a container)" : "",
    // The kernel answers these out of memory; by way of the thread pool each would cost six times as much.
    read: async (path) => readFileSync(join(root, path), "utf8"),
    exists: async (path) => existsSync(join(root, path)),
    statfs: (path) => statfs(join(root, path)),
    cpus,
    loadavg,
  };
}
