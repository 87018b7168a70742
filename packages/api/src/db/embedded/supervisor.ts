import { setTimeout as sleep } from "node:timers/promises";
import type { Postmaster } from "./postmaster.js";

const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 10_000;
/** After so long without a crash the next one is not taken for the same trouble. */
const CALM_MS = 60_000;

/** Keeps one PostgreSQL running until it is stopped. */
export class Supervisor {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private delayMs = FIRST_RESTART_MS;

  constructor(
    private current: Postmaster,
    private readonly launch: (signal: AbortSignal) => Promise<Postmaster>,
    private readonly onCrash: (error: Error) => void,
  ) {
    this.running = this.run(this.stopping.signal);
  }

  get pid(): number {
    return this.current.pid;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.current.stop();
    await this.running;
    // A restart that had just come through when we were told to stop.
    await this.current.stop();
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const calm = setTimeout(() => {
        this.delayMs = FIRST_RESTART_MS;
      }, CALM_MS).unref();
      const reason = await this.current.ended;
      clearTimeout(calm);
      if (signal.aborted) return;
      this.onCrash(new Error(`PostgreSQL ended unexpectedly (${reason}); starting it again`));
      await this.restart(signal);
    }
  }

  private async restart(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.delayMs, undefined, { signal }).catch(() => {});
      this.delayMs = Math.min(this.delayMs * 2, LONGEST_RESTART_MS);
      try {
        this.current = await this.launch(signal);
        return;
      } catch (error) {
        if (!signal.aborted) this.onCrash(error as Error);
      }
    }
  }
}
