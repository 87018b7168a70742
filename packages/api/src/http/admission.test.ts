import { expect, test } from "vitest";
import { manualClock } from "../kernel/testing/manual-clock.js";
import { Admission } from "./admission.js";

test("in no second more are admitted than allowed, whatever the storm looks like", async () => {
  const clock = manualClock();
  const admission = new Admission(clock, 10);
  const admitted: number[] = [];
  for (let round = 0; round < 500; round++) {
    for (let i = 0; i <= (round * 7) % 13; i++) if (admission.admit()) admitted.push(clock.monotonic());
    await clock.advance((round * 31) % 97);
  }
  const mostInASecond = Math.max(
    ...admitted.map((from) => admitted.filter((at) => at >= from && at < from + 1000).length),
  );
  expect(mostInASecond).toBe(10);
  const seconds = clock.monotonic() / 1000;
  expect(admitted.length).toBeGreaterThan(seconds * 10 * 0.9);
});

test("as many as allowed may come in one moment, and the next a second later", async () => {
  const clock = manualClock();
  const admission = new Admission(clock, 3);
  expect([1, 2, 3, 4].map(() => admission.admit())).toEqual([true, true, true, false]);
  await clock.advance(999);
  expect(admission.admit()).toBe(false);
  await clock.advance(1);
  expect(admission.admit()).toBe(true);
});
