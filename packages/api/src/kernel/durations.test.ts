import { expect, test } from "vitest";
import { z } from "zod";
import { duration, formatDuration, parseDuration } from "./durations.js";

test.each([
  ["500ms", 500],
  ["10s", 10_000],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
  ["0s", 0],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "10", "s", "1.5h", "-1s", "10 s", "1w", "1234567890s", "1h30m"])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test.each([
  [0, "0ms"],
  [1, "1ms"],
  [90_000, "90s"],
  [3_600_000, "1h"],
  [5_400_000, "90m"],
  [172_800_000, "2d"],
])("%d ms is written %s, and read back as the same", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
  expect(parseDuration(text)).toBe(ms);
});

test("a duration out of bounds is refused with the bounds and an example", () => {
  const input = z.object({ every: duration(1000, 60_000) });
  expect(input.parse({ every: "1m" })).toEqual({ every: 60_000 });
  expect(() => input.parse({ every: "61s" })).toThrow(/\\"61s\\" is not a duration from 1s to 1m; write for example/);
});
