/** A network path that a scenario can break and mend. */
export interface Link {
  /** What is open breaks at once, and what comes is refused. */
  cut(): void;
  /** Both ends believe in the connection, and nothing arrives any more; new ones are taken and never answered. */
  halfOpen(): void;
  /** Everything takes this much longer, in its order. */
  delay(ms: number): void;
  /** As good as new; connections that have lost something are broken. */
  heal(): void;
}

export interface Weather {
  state: "OPEN" | "CUT" | "HALF_OPEN";
  delayMs: number;
}

/** One direction of one connection: what passes keeps its order, also when the delay shrinks. */
export class Lane {
  private freeAt = 0;

  constructor(private readonly weather: Weather) {}

  pass(deliver: () => void): void {
    const now = performance.now();
    if (this.weather.state === "HALF_OPEN") return;
    this.freeAt = Math.max(this.freeAt, now + this.weather.delayMs);
    if (this.freeAt <= now) deliver();
    else
      setTimeout(() => {
        if (this.weather.state === "OPEN") deliver();
      }, this.freeAt - now);
  }
}
