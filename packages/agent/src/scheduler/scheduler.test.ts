import type { Outcome, Probe, ProbeContext } from "@poppo-ops/plugins";
import type { Result } from "@poppo-ops/plugins/wire";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { Clock } from "../clock.js";
import { newId } from "../ids.js";
import type { Plugins } from "../plugins/plugins.js";
import { manualClock } from "../testing/manual-clock.js";
import type { Assignment } from "./assignment.js";
import { Scheduler } from "./scheduler.js";

type Run = (config: { limit?: number }, context: ProbeContext) => Promise<Outcome | Outcome[]>;
const ok = (summary: string): Outcome => ({ status: "OK", summary });
const never = new Promise<never>(() => {});

/** A scheduler whose one kind `test.it` does what the test says. */
function setUp(run: Run, options: { concurrency?: number } = {}) {
  const clock = manualClock();
  const probe: Probe = {
    title: "",
    description: "",
    config: z.strictObject({ limit: z.number().optional() }),
    intervalMs: 1,
    timeoutMs: 1,
    run: (config, context) => run(config as { limit?: number }, context),
  };
  const plugins: Plugins = {
    probe: async (kind) => {
      if (kind === "test.it") return probe;
      throw new Error(`this agent has no plugin "${kind}"`);
    },
    remediation: () => never,
  };
  const reported: Result[] = [];
  const report = (results: Result[]) => void reported.push(...results);
  const scheduler = new Scheduler({
    plugins,
    clock,
    report,
    warn() {},
    redact: (text) => text.replace("hunter2", "[redacted]"),
    ...options,
  });
  const assign = (changes: Partial<Assignment> = {}) => {
    const assignment = { ...assigned(), ...changes };
    scheduler.assign({ version: newId(), probes: [assignment] });
    return assignment;
  };
  return { clock, scheduler, reported, assign, statuses: () => reported.map(({ status }) => status) };
}

/** Resolves `ms` after the signal. */
const endsAfter = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => clock.after(ms, resolve)));

const assigned = (): Assignment => ({
  probeId: newId(),
  name: "it",
  kind: "test.it",
  config: {},
  intervalMs: 10_000,
  retryIntervalMs: 2000,
  maxAttempts: 3,
  timeoutMs: 1000,
  version: 1,
});

describe("the scheduler", () => {
  test("shows data of a new assignment within a second, then once per interval", async () => {
    const { clock, reported, assign } = setUp(async () => ok("fine"));
    // Its point of the grid lies at 4.35 s of each interval, after the first second.
    assign({ probeId: "probe" });
    await clock.advance(1000);
    expect(reported).toHaveLength(1);
    await clock.advance(100_000);
    expect(reported).toHaveLength(11);
  });

  test("looks more often at a young trouble and returns to the interval after the last attempt", async () => {
    const runs: number[] = [];
    const { clock, assign } = setUp(async () => {
      runs.push(clock.monotonic());
      return { status: "CRIT", summary: "bad" };
    });
    assign();
    await clock.advance(30_000);
    const gaps = runs.slice(1).map((at, i) => Math.round(at - runs[i]!));
    expect(gaps.slice(0, 2)).toEqual([2000, 2000]);
    expect(gaps[3]).toBe(10_000);
  });

  test("is not confused by a wall clock that jumps", async () => {
    const { clock, reported, assign } = setUp(async () => ok("fine"));
    assign();
    await clock.advance(15_000);
    const before = reported.length;
    clock.jump(-86_400_000);
    await clock.advance(20_000);
    expect(reported.length).toBe(before + 2);
  });

  test("skips what is late instead of piling up, and never runs a probe twice at once", async () => {
    let running = 0;
    let most = 0;
    const { clock, reported, assign, scheduler } = setUp(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => clock.after(25_000, resolve));
      running--;
      return ok("slow");
    });
    const { probeId } = assign({ timeoutMs: 60_000 });
    await clock.advance(2000);
    void scheduler.runNow(probeId);
    await clock.advance(100_000);
    expect(most).toBe(1);
    expect(reported.length).toBeLessThanOrEqual(5);
  });

  test("ends a probe at its timeout and says which limit", async () => {
    const { clock, reported, assign } = setUp(
      (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    assign();
    await clock.advance(2001);
    expect(reported).toMatchObject([{ status: "TIMEOUT", summary: "no answer within 1000 ms", durationMs: 1000 }]);
  });

  test("quarantines a probe that ignores its timeout, and the others never notice", async () => {
    const { clock, assign, reported, scheduler } = setUp(({ limit }) => (limit ? Promise.resolve(ok("fine")) : never), {
      concurrency: 1,
    });
    const bad = assigned();
    const good = { ...assigned(), config: { limit: 1 } };
    assign();
    scheduler.assign({ version: "2", probes: [bad, good] });
    await clock.advance(120_000);
    const ofBad = reported.filter(({ probeId }) => probeId === bad.probeId);
    expect(ofBad.slice(0, 4).map(({ status }) => status)).toEqual(["TIMEOUT", "TIMEOUT", "TIMEOUT", "UNKNOWN"]);
    expect(ofBad[3]?.summary).toBe("quarantined: the probe ignored its timeout 3 times; next try in 30 s");
    expect(ofBad[5]?.summary).toContain("next try in 60 s");
    expect(reported.filter(({ probeId }) => probeId === good.probeId).length).toBeGreaterThanOrEqual(11);
  });

  test("does not quarantine a probe that needs a moment to end at its timeout, as exec's TERM and KILL do", async () => {
    const { clock, assign, statuses } = setUp((_, { signal }) => endsAfter(clock, 2500, signal).then(() => ok("late")));
    assign();
    await clock.advance(120_000);
    expect(statuses().length).toBeGreaterThan(5);
    expect(new Set(statuses())).toEqual(new Set(["TIMEOUT"]));
  });

  test.each([
    ["a plugin that throws", { config: {} }, "cannot connect with [redacted]"],
    ["an unknown kind", { kind: "nope.it" }, 'this agent has no plugin "nope.it"'],
    ["an invalid config", { config: { limt: 1 } }, "the config of test.it is invalid"],
  ])("reports %s as UNKNOWN with its reason", async (_, changes, summary) => {
    const { clock, reported, assign } = setUp(() => {
      throw new Error("cannot connect with hunter2");
    });
    assign(changes);
    await clock.advance(1000);
    expect(reported).toMatchObject([{ status: "UNKNOWN", summary: expect.stringContaining(summary) }]);
  });

  test("cuts what floods the server and keeps numbers honest", async () => {
    const { clock, reported, assign } = setUp(async () =>
      Array.from({ length: 600 }, (_, i) => ({
        item: `i${i}`,
        status: "OK" as const,
        summary: `${"😀".repeat(400)}\0`,
        metrics: { nan: [Number.NaN, "1"], fine: [1, "1"] } as const,
        evidence: { log: "x".repeat(1e5) },
      })),
    );
    assign();
    await clock.advance(1000);
    expect(reported).toHaveLength(500);
    // The limit is in the middle of a character.
    expect(reported[0]?.summary).toHaveLength(499);
    expect(reported[0]?.metrics).toEqual({ fine: [1, "1"] });
    expect(reported[0]?.evidence?.truncated).toContain("the limit is 16384");
    expect(reported[499]?.summary).toBe("600 items; only the first 499 are reported");
  });

  test("keeps a probe's memory over runs and forgets it with a new version", async () => {
    const seen: unknown[] = [];
    const { clock, assign } = setUp(async (_, { memory }) => {
      seen.push(memory.get("n"));
      memory.set("n", Number(memory.get("n") ?? 0) + 1);
      return ok("counted");
    });
    const assignment = assign({ probeId: newId() });
    await clock.advance(11_000);
    assign({ ...assignment, version: 2 });
    await clock.advance(1000);
    expect(seen.slice(0, 2)).toEqual([undefined, 1]);
    expect(seen.filter((it) => it === undefined)).toHaveLength(2);
  });

  test("stopping turns the probes under way into INTERRUPTED and starts nothing more", async () => {
    const { clock, scheduler, assign, statuses } = setUp(() => never);
    assign();
    await clock.advance(1000);
    const stopped = scheduler.stop();
    await clock.advance(60_000);
    await stopped;
    expect(statuses()).toEqual(["INTERRUPTED"]);
  });

  test("stopping waits for a probe that needs a moment to end", async () => {
    let ended = false;
    const { clock, scheduler, assign, statuses } = setUp(async (_, { signal }) => {
      await endsAfter(clock, 2500, signal);
      ended = true;
      return ok("late");
    });
    assign({ timeoutMs: 60_000 });
    await clock.advance(1000);
    const stopped = scheduler.stop().then(() => ended);
    await clock.advance(2500);
    expect(await stopped).toBe(true);
    expect(statuses()).toEqual(["INTERRUPTED"]);
  });

  test("a run that was still to begin when everything stopped does not begin", async () => {
    const run = vi.fn((_: unknown, { signal }: ProbeContext) => endsAfter(clock, 10, signal).then(() => ok("late")));
    const { clock, scheduler, assign, statuses } = setUp(run);
    const { probeId } = assign({ timeoutMs: 60_000 });
    await clock.advance(1000);
    const again = scheduler.runNow(probeId);
    const stopped = scheduler.stop();
    await clock.advance(1000);
    await Promise.all([again, stopped]);
    expect(run).toHaveBeenCalledTimes(1);
    expect(statuses()).toEqual(["INTERRUPTED", "INTERRUPTED"]);
  });

  test("watching runs a probe at once and often, until the time is over", async () => {
    const { clock, scheduler, assign, reported } = setUp(async () => ok("fine"));
    const { probeId } = assign();
    await clock.advance(1000);
    const before = reported.length;
    expect(scheduler.watch(probeId, 500, 3000)).toBe(true);
    await vi.waitFor(() => expect(reported.length).toBe(before + 1));
    await clock.advance(4000);
    expect(reported.length).toBeGreaterThanOrEqual(before + 6);
    expect(scheduler.watch("unknown", 1, 1)).toBe(false);
  });
});
