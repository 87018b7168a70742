import { expect, test } from "vitest";
import { nextRunAt } from "./timing.js";

const phasesOf = (intervalMs: number) => {
  const schedules = Array.from({ length: 1000 }, (_, i) => ({
    probeId: `probe ${i}`,
    intervalMs,
    retryIntervalMs: 1000,
    maxAttempts: 1,
  }));
  return schedules.map((schedule) => nextRunAt(schedule, 0, 0) % intervalMs);
};

test.each([
  [60_000, 1000, 60],
  [10_000, 1000, 10],
  [1000, 100, 10],
])("probes that run every %i ms start at multiples of %i ms, at all %i of them", (intervalMs, slotMs, slots) => {
  const phases = phasesOf(intervalMs);
  expect(phases.every((phase) => phase % slotMs === 0)).toBe(true);
  expect(new Set(phases).size).toBe(slots);
});

test("a late run is skipped, never made up for", () => {
  const schedule = { probeId: "one", intervalMs: 10_000, retryIntervalMs: 1000, maxAttempts: 3 };
  const first = nextRunAt(schedule, 0, 0);
  expect(nextRunAt(schedule, 0, first)).toBe(first + 10_000);
  expect(nextRunAt(schedule, 0, first + 25_000)).toBe(first + 30_000);
  expect(nextRunAt(schedule, 1, first)).toBe(first + 1000);
});
