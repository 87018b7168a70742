import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createBackoff } from "./backoff.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Milliseconds until the wait resolved. */
async function measure(wait: Promise<void>): Promise<number> {
  const before = vi.getTimerCount();
  expect(before).toBe(1);
  const started = performance.now();
  vi.advanceTimersToNextTimer();
  await wait;
  return performance.now() - started;
}

test("windows double from 1 s to 64 s, and a reset begins again", async () => {
  const backoff = createBackoff(() => 1);
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) waits.push(await measure(backoff.wait()));
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64].map((s) => s * 1000));
  backoff.reset();
  expect(await measure(backoff.wait())).toBe(1000);
});

test("chance decides where in the window, from its very start", async () => {
  const chances = [0, 0.5];
  const backoff = createBackoff(() => chances.shift()!);
  expect(await measure(backoff.wait())).toBe(0);
  expect(await measure(backoff.wait())).toBe(1000);
});

test("a retry-after is honoured once, on top of the jitter", async () => {
  const backoff = createBackoff(() => 0);
  backoff.setRetryAfter(7_000);
  expect(await measure(backoff.wait())).toBe(7_000);
  expect(await measure(backoff.wait())).toBe(0);
});

test("cancel ends the wait at once", async () => {
  const backoff = createBackoff(() => 1);
  const wait = backoff.wait();
  backoff.cancel();
  await wait;
  expect(vi.getTimerCount()).toBe(0);
});
