import { pino } from "pino";
import { expect, test } from "vitest";
import type { App } from "../kernel/app.js";
import { localHints } from "../kernel/hints.js";
import { manualClock } from "../kernel/testing/manual-clock.js";
import { Engine, type Module, SETTLE_MS } from "./engine.js";

function engineOf(...modules: Partial<Module>[]) {
  const clock = manualClock();
  const hints = localHints();
  const app = { clock, hints, log: pino({ level: "silent" }) } as unknown as App;
  const engine = new Engine(app);
  engine.start(modules.map((module) => ({ name: "test", batch: 10, everyMs: 1000, step: async () => 0, ...module })));
  return { engine, clock, hints };
}

test("a full batch is followed by the next at once, a smaller one by the pause", async () => {
  const left = [10, 10, 3, 0];
  let steps = 0;
  const { engine, clock } = engineOf({ step: async () => left[steps++] ?? 0 });
  await clock.advance(0);
  expect(steps).toBe(3);
  await clock.advance(999);
  expect(steps).toBe(3);
  await clock.advance(1);
  expect(steps).toBe(4);
  await engine.stop();
});

test("the sweeps of all modules are spread over their interval, also after a hint that woke them together", async () => {
  const steps: [module: number, at: number][] = [];
  const modules = [0, 1, 2, 3].map((i) => ({
    wakeOn: () => true,
    step: async () => {
      steps.push([i, clock.monotonic()]);
      return 0;
    },
  }));
  const { engine, clock, hints } = engineOf(...modules);
  await clock.advance(2300);
  hints.publish("events");
  await clock.advance(10);
  steps.splice(0);
  await clock.advance(1000);
  expect(steps).toEqual([
    [2, 2500],
    [3, 2750],
    [0, 3000],
    [1, 3250],
  ]);
  await engine.stop();
});

test("a hint wakes a module as soon as it has settled, also one that came while it worked", async () => {
  let steps = 0;
  let finish = () => {};
  const step = () => {
    steps++;
    return new Promise<number>((resolve) => {
      finish = () => resolve(0);
    });
  };
  const { engine, clock, hints } = engineOf({ step, wakeOn: (topic) => topic === "access" });
  hints.publish("access");
  hints.publish("access");
  finish();
  await clock.advance(SETTLE_MS);
  expect(steps).toBe(2);
  finish();
  await clock.advance(0);
  hints.publish("events");
  await clock.advance(SETTLE_MS);
  expect(steps).toBe(2);
  hints.publish("access");
  await clock.advance(SETTLE_MS);
  expect(steps).toBe(3);
  finish();
  await engine.stop();
});

test("hints without end keep a module at work for a tenth of the time, and it waits no longer than for its sweep", async () => {
  const began: number[] = [];
  let takesMs = 0;
  const { engine, clock, hints } = engineOf({
    wakeOn: () => true,
    step: async () => {
      await null;
      began.push(clock.monotonic());
      await clock.sleep(takesMs);
      return 0;
    },
  });
  /** From one step to the next. */
  const period = async () => {
    for (let passed = 0; passed < 5000; passed += 10) {
      hints.publish("events");
      await clock.advance(10);
    }
    return began.at(-1)! - began.at(-2)!;
  };
  expect(await period()).toBe(SETTLE_MS);
  takesMs = 20;
  expect(await period()).toBe(200);
  // Rested already.
  await clock.advance(900);
  hints.publish("events");
  await clock.advance(SETTLE_MS);
  expect(clock.monotonic() - began.at(-1)!).toBe(0);
  takesMs = 500;
  expect(await period()).toBe(1500);
  await Promise.all([engine.stop(), clock.advance(takesMs)]);
});

test("a module that fails waits longer each time, hints or not, and stops no other", async () => {
  let failures = 0;
  let steps = 0;
  const { engine, clock, hints } = engineOf(
    {
      wakeOn: () => true,
      step: async () => {
        failures++;
        throw new Error("broken");
      },
    },
    { step: async () => ++steps && 0 },
  );
  await clock.advance(0);
  for (let i = 0; i < 100; i++) hints.publish("events");
  await clock.advance(1999);
  expect(failures).toBe(1);
  await clock.advance(1);
  expect(failures).toBe(2);
  await clock.advance(100_000);
  expect(failures).toBeLessThan(9);
  expect(steps).toBeGreaterThan(100);
  await engine.stop();
});

test("stop resolves after the step under way", async () => {
  let finish = () => {};
  let finished = false;
  const { engine } = engineOf({
    step: async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      finished = true;
      return 10;
    },
  });
  const stopped = engine.stop();
  finish();
  await stopped;
  expect(finished).toBe(true);
});
