const FIRST_WINDOW_MS = 1_000;
const LAST_WINDOW_MS = 64_000;

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
  let windowMs = FIRST_WINDOW_MS;
  let retryAfterMs = 0;
  let cancel = () => {};
  return {
    wait() {
      const delayMs = retryAfterMs + random() * windowMs;
      windowMs = Math.min(windowMs * 2, LAST_WINDOW_MS);
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
      windowMs = FIRST_WINDOW_MS;
    },
    cancel: () => cancel(),
  };
}
