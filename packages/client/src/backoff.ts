const FIRST_WINDOW_MS = 1_000;
const LAST_WINDOW_MS = 64_000;

/** Full jitter in a window that doubles from 1 s to 64 s. `failures` counts from 0. */
export const backOffMs = (failures: number, random: () => number): number =>
  random() * Math.min(LAST_WINDOW_MS, FIRST_WINDOW_MS * 2 ** Math.min(failures, 10));

export interface Backoff {
  /** Resolves after a random part of the window, which then doubles: 1, 2, 4 … 64 s. At once when `cancel()` is called. */
  wait(): Promise<void>;
  /** The next wait takes at least this long, once. */
  setRetryAfter(ms: number): void;
  /** Things went well: the next window is the first again. */
  reset(): void;
  cancel(): void;
}

/** Full jitter: clients that lost the same server come back spread over the window, not together. */
export function createBackoff(random: () => number): Backoff {
  let failures = 0;
  let retryAfterMs = 0;
  let cancel = () => {};
  return {
    wait() {
      const delayMs = retryAfterMs + backOffMs(failures++, random);
      retryAfterMs = 0;
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, delayMs);
        cancel = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    setRetryAfter(ms) {
      retryAfterMs = ms;
    },
    reset() {
      failures = 0;
    },
    cancel: () => cancel(),
  };
}
