/** The only place of this package that reads the clock or sets a timer. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. It may jump; only what a person or the server reads is dated with it. */
  now(): number;
  /** Milliseconds that never jump. All scheduling uses these. */
  monotonic(): number;
  /** Calls `act` once after `ms`; the returned function cancels. A pending timer does not keep the process alive. */
  after(ms: number, act: () => void): () => void;
}

/** A longer delay overflows Node's 32-bit timer and fires at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, act) {
    const timer = setTimeout(act, Math.min(Math.max(ms, 0), LONGEST_DELAY_MS)).unref();
    return () => clearTimeout(timer);
  },
};

/** Keeps the process alive, which no timer of the clock does; call the result to let it end. */
export function stayAlive(): () => void {
  const timer = setInterval(() => {}, LONGEST_DELAY_MS);
  return () => clearInterval(timer);
}

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** What `promise` gives, or `"late"` when `ms` pass first. */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | "late"> {
  const done = new AbortController();
  try {
    return await Promise.race([promise, sleep(clock, ms, done.signal).then(() => "late" as const)]);
  } finally {
    done.abort();
  }
}
