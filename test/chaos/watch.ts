import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { World } from "./world.js";

/** The most that was ever seen, in bytes. */
export interface Peaks {
  server: number;
  agent: number;
  spool: number;
}

const EVERY_MS = 500;

/** Looks at memory and spools all the time, because what grows may be gone when the checker comes. */
export class Watch implements AsyncDisposable {
  readonly peaks: Peaks = { server: 0, agent: 0, spool: 0 };
  private readonly stopping = new AbortController();
  private readonly watching: Promise<void>;

  constructor(private readonly world: World) {
    this.watching = this.watch(this.stopping.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.watching;
  }

  private async watch(signal: AbortSignal): Promise<void> {
    const { replicas, hosts } = this.world;
    const note = (kind: keyof Peaks, seen: number[]) => {
      this.peaks[kind] = Math.max(this.peaks[kind], ...seen);
    };
    while (!signal.aborted) {
      note("server", await Promise.all(replicas.map(({ pid }) => residentBytes(pid))));
      note("agent", await Promise.all(hosts.map(({ pid }) => residentBytes(pid))));
      note("spool", await Promise.all(hosts.map(({ agent }) => folderBytes(join(agent.dataDir, "spool")))));
      await sleep(EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Files come and go meanwhile. */
async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
