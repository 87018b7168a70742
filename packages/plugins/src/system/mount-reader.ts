import { setTimeout } from "node:timers/promises";
import type { FileSystem, Host } from "./host.js";
import type { Mount } from "./mounts.js";

export type Reading = { fileSystem: FileSystem } | { problem: string };

/** Remote mounts that may be stuck at once, over all probes and runs. */
const MAX_STUCK = 2;

/**
 * Reads file systems one after the other and survives those that never answer. A statfs on a dead NFS server cannot be
 * cancelled and keeps one of libuv's four threads until the kernel lets go; four of them would stop every file access
 * of the agent. So a stuck mount is not asked again, and no further remote one while two are stuck.
 */
export class MountReader {
  readonly #host: Host;
  readonly #stuck = new Set<string>();

  constructor(host: Host) {
    this.#host = host;
  }

  async read(
    { point, isRemote }: Pick<Mount, "point" | "isRemote">,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Reading> {
    if (this.#stuck.has(point))
      return { problem: "has not answered since an earlier run; it is asked again once it does" };
    if (isRemote && this.#stuck.size >= MAX_STUCK)
      return { problem: `was not asked, because ${[...this.#stuck].join(" and ")} do not answer` };

    const cancel = new AbortController();
    const timer = setTimeout(timeoutMs, undefined, { signal: AbortSignal.any([signal, cancel.signal]) });
    let isPending = true;
    const answer = this.#host
      .statfs(point)
      .then((fileSystem): Reading => ({ fileSystem }))
      .catch((error: NodeJS.ErrnoException): Reading => ({ problem: `cannot be read: ${error.code ?? error.message}` }))
      .finally(() => {
        isPending = false;
        this.#stuck.delete(point);
      });
    try {
      return (await Promise.race([answer, timer])) ?? { problem: `did not answer within ${timeoutMs} ms` };
    } finally {
      if (isPending) this.#stuck.add(point);
      timer.catch(() => {});
      cancel.abort();
    }
  }
}
