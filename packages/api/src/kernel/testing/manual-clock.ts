import type { Clock } from "../clock.js";

export interface ManualClock extends Clock {
  /** Moves time and wakes what is due, in order; promises settle between two wakings. */
  advance(ms: number): Promise<void>;
}

export function manualClock(): ManualClock {
  const startedAt = Date.UTC(2026, 0, 1);
  const sleepers = new Set<{ due: number; wake: () => void }>();
  let elapsed = 0;
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => startedAt + elapsed,
    monotonic: () => elapsed,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const sleeper = {
          due: elapsed + ms,
          wake() {
            sleepers.delete(sleeper);
            signal?.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", sleeper.wake, { once: true });
      }),
    async advance(ms) {
      const until = elapsed + ms;
      await settle();
      for (;;) {
        const next = [...sleepers].sort((a, b) => a.due - b.due)[0];
        if (!next || next.due > until) break;
        elapsed = Math.max(elapsed, next.due);
        next.wake();
        await settle();
      }
      elapsed = until;
      await settle();
    },
  };
}
