import type { Clock } from "../kernel/clock.js";

/** Signs of life are written every few seconds; a replica that did not for so long was stopped or frozen. */
const FROZEN_MS = 15_000;

/**
 * For how long this replica has been able to hear agents and to write down that it did. Who was silent while nobody could
 * listen is not called missing: after a start, after the database was away, and after this process or its whole machine
 * was frozen, everybody gets the full grace again.
 */
export class Watch {
  private since = Number.POSITIVE_INFINITY;
  private wroteAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly clock: Clock) {}

  /** What was heard is written down. */
  wrote(): void {
    const now = this.clock.monotonic();
    this.since = now - this.wroteAt > FROZEN_MS ? now : this.since;
    this.wroteAt = now;
  }

  lost(): void {
    this.wroteAt = Number.NEGATIVE_INFINITY;
  }

  /** Milliseconds; 0 when it is not watching. */
  get watchedMs(): number {
    const now = this.clock.monotonic();
    // Asked right after a thaw, before anything could be written.
    return now - this.wroteAt > FROZEN_MS ? 0 : now - this.since;
  }
}
