import { type Clock, systemClock } from "../clock.js";

export interface ManualClock extends Clock {
  /** Moves both clocks and fires what is due, in order; promises settle between two timers. */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock alone, as an administrator or NTP does. */
  jump(ms: number): void;
}

export function manualClock(startAt = systemClock.now()): ManualClock {
  let elapsed = 0;
  let wall = startAt;
  const timers = new Set<{ due: number; act: () => void }>();
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => wall + elapsed,
    monotonic: () => elapsed,
    after(ms, act) {
      const timer = { due: elapsed + Math.max(ms, 0), act };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const until = elapsed + ms;
      await settle();
      for (;;) {
        const next = [...timers].sort((a, b) => a.due - b.due)[0];
        if (!next || next.due > until) break;
        timers.delete(next);
        elapsed = Math.max(elapsed, next.due);
        next.act();
        await settle();
      }
      elapsed = until;
      await settle();
    },
    jump(ms) {
      wall += ms;
    },
  };
}
