/** A network path that a scenario can break and mend. */
export interface Link {
  readonly weather: Readonly<Weather>;
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
  /** How many messages, or pieces of a stream, were really late. */
  delayed: number;
}

/** One direction of one connection: what passes keeps its order, also when the delay shrinks or a timer is late. */
export class Lane {
  private readonly waiting: { due: number; deliver: () => void }[] = [];

  constructor(private readonly weather: Weather) {}

  pass(deliver: () => void): void {
    if (this.weather.state === "HALF_OPEN") return;
    if (this.weather.delayMs > 0) this.weather.delayed++;
    this.waiting.push({ due: performance.now() + this.weather.delayMs, deliver });
    if (this.waiting.length === 1) this.run();
  }

  private run(): void {
    for (let first = this.waiting[0]; first; first = this.waiting[0]) {
      const early = first.due - performance.now();
      if (early > 0) return void setTimeout(() => this.run(), early);
      this.waiting.shift();
      if (this.weather.state !== "HALF_OPEN") first.deliver();
    }
  }
}
