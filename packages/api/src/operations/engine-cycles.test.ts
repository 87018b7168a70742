import { expect, test } from "vitest";
import type { Module } from "../engine/engine.js";
import { createMetrics } from "../kernel/metrics.js";
import { EngineCycles } from "./engine-cycles.js";

const at = { now: 0 };
const clock = { monotonic: () => at.now };
const module = (step: () => Promise<number>): Module => ({ name: "sweep", batch: 10, everyMs: 1000, step });

test("a module is behind when it has not finished a whole round for two periods and 10 s", async () => {
  at.now = 0;
  const cycles = new EngineCycles(clock, createMetrics("test"));
  const observed = cycles.observe(module(async () => 3));
  at.now = 12_000;
  expect(cycles.behind()).toEqual([]);
  at.now = 12_001;
  expect(cycles.behind()).toEqual([{ name: "sweep", ageMs: 12_001 }]);
  expect(await observed.step()).toBe(3);
  expect(cycles.behind()).toEqual([]);
});

test("a full batch is no whole round, and a failure is none", async () => {
  at.now = 0;
  const metrics = createMetrics("test");
  const cycles = new EngineCycles(clock, metrics);
  const busy = cycles.observe(module(async () => 10));
  const broken = cycles.observe({
    ...module(async () => {
      throw new Error("no");
    }),
    name: "broken",
  });
  at.now = 20_000;
  await busy.step();
  await expect(broken.step()).rejects.toThrow("no");
  expect(cycles.behind().map(({ name }) => name)).toEqual(["sweep", "broken"]);
  expect((await metrics.engine.failures.get()).values).toMatchObject([{ labels: { module: "broken" }, value: 1 }]);
});
