import { setTimeout as sleepFor } from "node:timers/promises";

export const now = (): Date => new Date();

/** Resolves after `ms`, or at once when the signal aborts. */
export const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  sleepFor(ms, undefined, { signal }).catch(() => {});
