import type { Clock } from "../kernel/clock.js";

/**
 * For how long this replica has been able to hear agents and to write down that it did. Who was silent while nobody could
 * listen is not called missing: after a start, and after the database was away, everybody gets the full grace again.
 */
export class Watch {
  private since = Number.POSITIVE_INFINITY;

  constructor(private readonly clock: Clock) {}

  begin(): void {
    this.since = Math.min(this.since, this.clock.monotonic());
  }

  lost(): void {
    this.since = Number.POSITIVE_INFINITY;
  }

  /** Milliseconds; 0 when it is not watching. */
  get watchedMs(): number {
    return Math.max(0, this.clock.monotonic() - this.since);
  }
}
