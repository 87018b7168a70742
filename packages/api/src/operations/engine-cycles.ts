import type { Module } from "../engine/engine.js";
import type { Clock } from "../kernel/clock.js";
import { type Metrics, timed } from "../kernel/metrics.js";

/** Grace for one round of a module: a step takes time, and a hint may have begun one late. */
const GRACE_MS = 10_000;

/** When each of the engine's modules last finished a whole round: proof that the engine runs, not only that it was started. */
export class EngineCycles {
  private readonly rounds = new Map<string, { at: number; everyMs: number }>();

  constructor(
    private readonly clock: Pick<Clock, "monotonic">,
    private readonly metrics: Metrics,
  ) {
    metrics.onScrape(() => {
      for (const { name, ageMs } of this.ages()) metrics.engine.age.set({ module: name }, ageMs / 1000);
    });
  }

  /** The same module, observed. A round is whole when there was no more to do. */
  observe(module: Module): Module {
    const { name, everyMs, batch } = module;
    const note = () => this.rounds.set(name, { at: this.clock.monotonic(), everyMs });
    note();
    const { step, failures } = this.metrics.engine;
    const duration = step.labels({ module: name });
    return {
      ...module,
      step: async () => {
        try {
          const done = await timed(duration, () => module.step());
          if (done < batch) note();
          return done;
        } catch (error) {
          failures.inc({ module: name });
          throw error;
        }
      },
    };
  }

  get count(): number {
    return this.rounds.size;
  }

  /** The modules whose last whole round is too long ago, with its age in milliseconds. */
  behind(): { name: string; ageMs: number }[] {
    return this.ages().flatMap(({ name, ageMs, everyMs }) => (ageMs > 2 * everyMs + GRACE_MS ? { name, ageMs } : []));
  }

  private ages(): { name: string; ageMs: number; everyMs: number }[] {
    const now = this.clock.monotonic();
    return [...this.rounds].map(([name, { at, everyMs }]) => ({ name, ageMs: Math.round(now - at), everyMs }));
  }
}
