import type { Clock } from "../kernel/clock.js";

/**
 * How many connections this replica takes up per second. When a replica ends, thousands come back at once; each costs a
 * handshake, a proof of identity and a session, and without a limit those who are here already would wait behind them.
 *
 * Exact for every second there is, not on the average: the moment of the admission that lies `perSecond` admissions back
 * must be a second ago. A token bucket would let through twice as many in the second after a quiet one.
 */
export class Admission {
  private readonly admittedAt: Float64Array;
  private next = 0;

  constructor(
    private readonly clock: Clock,
    perSecond: number,
  ) {
    this.admittedAt = new Float64Array(perSecond).fill(Number.NEGATIVE_INFINITY);
  }

  /** False: not now. Refusing costs nothing and counts for nothing. */
  admit(): boolean {
    const now = this.clock.monotonic();
    if (now - this.admittedAt[this.next]! < 1000) return false;
    this.admittedAt[this.next] = now;
    this.next = (this.next + 1) % this.admittedAt.length;
    return true;
  }
}
