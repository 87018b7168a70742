import type { Module } from "../engine/engine.js";
import type { Clock } from "../kernel/clock.js";

/** Grace for one round of a module: a step takes time, and a hint may have begun one late. */
const GRACE_MS = 10_000;

/** When each of the engine's modules last finished a whole round: proof that the engine runs, not only that it was started. */
export class EngineCycles {
  private readonly rounds = new Map<string, { at: number; everyMs: number }>();

  constructor(private readonly clock: Pick<Clock, "monotonic">) {}

  /** The same module, observed. A round is whole when there was no more to do. */
  observe(module: Module): Module {
    const { name, everyMs, batch } = module;
    const note = () => this.rounds.set(name, { at: this.clock.monotonic(), everyMs });
    note();
    return {
      ...module,
      step: async () => {
        const done = await module.step();
        if (done < batch) note();
        return done;
      },
    };
  }

  get count(): number {
    return this.rounds.size;
  }

  /** The modules whose last whole round is too long ago, with its age in milliseconds. */
  behind(): { name: string; ageMs: number }[] {
    const now = this.clock.monotonic();
    return [...this.rounds].flatMap(([name, { at, everyMs }]) => {
      const ageMs = Math.round(now - at);
      return ageMs > 2 * everyMs + GRACE_MS ? { name, ageMs } : [];
    });
  }
}
