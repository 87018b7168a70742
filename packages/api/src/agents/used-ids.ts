import type { Clock } from "../kernel/clock.js";

/** Ids that must not come again before they expire. Bounded: past the bound the oldest are forgotten first. */
export class UsedIds {
  private readonly expiries = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly capacity = 100_000,
  ) {}

  /** False when the id was added before. @param expiresAt milliseconds since 1970 */
  add(id: string, expiresAt: number): boolean {
    if (this.expiries.has(id)) return false;
    this.expiries.set(id, expiresAt);
    this.forget();
    return true;
  }

  /** Ids come in about the order of their expiry, so what has expired is in front. */
  private forget(): void {
    for (const [id, expiresAt] of this.expiries) {
      if (expiresAt > this.clock.now() && this.expiries.size <= this.capacity) return;
      this.expiries.delete(id);
    }
  }
}
