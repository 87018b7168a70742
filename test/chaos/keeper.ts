import { setTimeout as sleep } from "node:timers/promises";

export interface Kept {
  ended(): Promise<void>;
  start(): void | Promise<void>;
}

/** Starts a process again whenever it has ended, as the service manager of a host does. */
export class Keeper implements AsyncDisposable {
  /** It has been started and, for a server, is ready. */
  isUp = true;
  private readonly stopping = new AbortController();
  private readonly keeping: Promise<void>;

  constructor(
    private readonly process: Kept,
    private readonly restartAfterMs: () => number,
    private readonly onEnd: () => void,
  ) {
    this.keeping = this.keep(this.stopping.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.keeping;
  }

  private async keep(signal: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    while (!signal.aborted) {
      await Promise.race([this.process.ended(), stopped]);
      if (signal.aborted) return;
      this.isUp = false;
      this.onEnd();
      await this.restart(signal);
    }
  }

  /** A server whose database is away ends again, and is started again. */
  private async restart(signal: AbortSignal): Promise<void> {
    while (!this.isUp && !signal.aborted) {
      await sleep(this.restartAfterMs(), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.process.start();
        this.isUp = true;
      } catch {
        // It says why in its own log.
      }
    }
  }
}
