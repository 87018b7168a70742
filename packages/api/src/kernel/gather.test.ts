import { expect, test } from "vitest";
import { Gather } from "./gather.js";

test("a single caller waits for nobody, and what comes while it runs goes together in the next run", async () => {
  const runs: number[][] = [];
  let finish = () => {};
  const gather = new Gather<number, number>(async (items) => {
    runs.push(items);
    if (runs.length === 1) await new Promise<void>((resolve) => (finish = resolve));
    return items.map((item) => item * 10);
  });
  const first = gather.add(1);
  await new Promise((resolve) => setImmediate(resolve));
  const rest = [2, 3, 4].map((item) => gather.add(item));
  finish();
  expect(await first).toBe(10);
  expect(await Promise.all(rest)).toEqual([20, 30, 40]);
  expect(runs).toEqual([[1], [2, 3, 4]]);
});

test("a run is bounded by weight, but never empty", async () => {
  const runs: number[][] = [];
  const gather = new Gather<number, null>(
    async (items) => {
      runs.push(items);
      return items.map(() => null);
    },
    10,
    (item) => item,
  );
  await Promise.all([6, 4, 99, 1, 1].map((item) => gather.add(item)));
  expect(runs).toEqual([[6, 4], [99], [1, 1]]);
});

test("an item that is refused hurts no other; a run that fails fails for all of it, and the next one runs", async () => {
  const gather = new Gather<string, string>(async (items) => {
    if (items.includes("broken")) throw new Error("no database");
    return items.map((item) => (item === "bad" ? new Error("refused") : item));
  });
  const outcomes = await Promise.allSettled(["good", "bad"].map((item) => gather.add(item)));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  await expect(Promise.all([gather.add("broken"), gather.add("good")])).rejects.toThrow("no database");
  expect(await gather.add("good")).toBe("good");
  await gather.idle();
});
