import { expect, test } from "vitest";
import { z } from "zod";
import { falling, gradeFalling, gradeRising, ladder, rising, worst } from "./ladder.js";

test("a value at a limit has that limit's grade", () => {
  const limits = { warn: 80, crit: 90 };
  expect([79.9, 80, 89.9, 90].map((value) => gradeRising(value, limits))).toEqual(["OK", "WARN", "WARN", "CRIT"]);
});

test("where low is worse, the grades run the other way", () => {
  const limits = { warn: 14, crit: 3 };
  expect([14.1, 14, 3.1, 3, -1].map((value) => gradeFalling(value, limits))).toEqual([
    "OK",
    "WARN",
    "WARN",
    "CRIT",
    "CRIT",
  ]);
});

test("the worst of none is OK", () => {
  expect(worst()).toBe("OK");
  expect(worst("OK", "CRIT", "WARN")).toBe("CRIT");
});

test("limits in the wrong order are refused with both values, defaults included", () => {
  const config = z.strictObject(ladder(80, 90, "the share")).superRefine(rising);
  expect(config.parse({})).toEqual({ warn: 80, crit: 90 });
  expect(config.safeParse({ warn: 95 }).error?.message).toContain("warn (95) must be below crit (90)");
  const days = z.strictObject(ladder(14, 3, "the days")).superRefine(falling);
  expect(days.safeParse({ crit: 20 }).error?.message).toContain("warn (14) must be above crit (20)");
});
