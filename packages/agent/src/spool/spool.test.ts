import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LIMITS, type SpoolGap } from "@poppo-ops/plugins/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.js";
import { newId } from "../ids.js";
import { manualClock } from "../testing/manual-clock.js";
import { resultNamed } from "../testing/results.js";
import { temporaryFolder, tinyDisk } from "../testing/temporary-folder.js";
import { Spool, type SpoolOptions } from "./spool.js";

const HOUR = 3_600_000;
const open = (dir: string, options: Partial<SpoolOptions> = {}) =>
  Spool.open({
    dir,
    maxBytes: 64e6,
    maxAgeMs: 24 * HOUR,
    clock: systemClock,
    newId,
    warn() {},
    segmentBytes: 2000,
    ...options,
  });

const fill = (spool: Spool, count: number, evidence: { pad: string } | null = null) => {
  for (let i = 0; i < count; i++) spool.append([resultNamed(`r${spool.head + 1}`, evidence)]);
  spool.flush();
};

/** Everything a sender would send: the summaries by number, and the gaps. */
function drain(spool: Spool, from = spool.acked + 1) {
  const rows = new Map<number, string>();
  const gaps: SpoolGap[] = [];
  for (let next = from; ; ) {
    const batch = spool.read(next, 7, 1500);
    batch.results.forEach((result, i) => {
      rows.set(batch.from + i, result.summary);
    });
    expect(batch.gaps.length).toBeLessThanOrEqual(LIMITS.gapsPerBatch);
    gaps.push(...batch.gaps);
    if (batch.results.length === 0 && batch.gaps.length === 0) return { rows, gaps };
    next = batch.from + batch.results.length;
  }
}

const epochDir = (dir: string) => join(dir, readdirSync(dir)[0] ?? "");
const segmentsOf = (dir: string) =>
  readdirSync(epochDir(dir))
    .filter((name) => name.endsWith(".seg"))
    .sort()
    .map((name) => join(epochDir(dir), name));

describe("the spool", () => {
  test("gives results back in order, in batches bounded by rows and bytes", () => {
    using folder = temporaryFolder();
    const spool = open(folder.path);
    fill(spool, 40);
    expect(spool.read(1, 7, 1e6).results.map((r) => r.summary)).toEqual(["r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
    expect(spool.read(8, 100, 1).results).toHaveLength(1);
    expect([...drain(spool).rows.values()]).toEqual(Array.from({ length: 40 }, (_, i) => `r${i + 1}`));
  });

  test("keeps results, numbers and epoch over a process that ends without closing it", () => {
    using folder = temporaryFolder();
    const first = open(folder.path);
    fill(first, 10);
    const second = open(folder.path);
    fill(second, 2);
    expect(second.epoch).toBe(first.epoch);
    expect([...drain(second).rows.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("deletes whole segments the server has and never offers their results again", async () => {
    using folder = temporaryFolder();
    const spool = open(folder.path);
    fill(spool, 40);
    const before = segmentsOf(folder.path).length;
    spool.ack(25);
    expect(segmentsOf(folder.path).length).toBeLessThan(before);
    expect([...drain(spool).rows.keys()][0]).toBe(26);
    await spool.close();
    expect([...drain(open(folder.path)).rows.keys()][0]).toBe(26);
  });

  test("drops the oldest segments above its size and says which numbers were lost", () => {
    using folder = temporaryFolder();
    const spool = open(folder.path, { maxBytes: 6000 });
    fill(spool, 200);
    const { rows, gaps } = drain(spool);
    const firstKept = [...rows.keys()][0] ?? 0;
    expect(gaps).toEqual([{ from: 1, to: firstKept - 1, reason: "BYTES" }]);
    expect(spool.bytes).toBeLessThanOrEqual(6000);
    expect(drain(open(folder.path)).gaps).toEqual(gaps);
  });

  test("drops results above its age and says so", async () => {
    using folder = temporaryFolder();
    const clock = manualClock();
    const spool = open(folder.path, { clock });
    fill(spool, 20);
    await clock.advance(25 * HOUR);
    fill(spool, 1);
    expect(drain(spool)).toEqual({ rows: new Map([[21, "r21"]]), gaps: [{ from: 1, to: 20, reason: "AGE" }] });
  });

  test("drops nothing because the wall clock was set", () => {
    using folder = temporaryFolder();
    const clock = manualClock();
    const spool = open(folder.path, { clock });
    fill(spool, 20);
    clock.jump(48 * HOUR);
    fill(spool, 1);
    expect(drain(spool)).toMatchObject({ rows: { size: 21 }, gaps: [] });
  });

  test("knows after a restart how old its results are", async () => {
    using folder = temporaryFolder();
    const spool = open(folder.path);
    fill(spool, 20);
    await spool.close();
    const later = manualClock(systemClock.now() + 25 * HOUR);
    expect(drain(open(folder.path, { clock: later })).gaps).toEqual([{ from: 1, to: 20, reason: "AGE" }]);
  });

  test("a damaged record in the middle loses itself alone and becomes a gap", () => {
    using folder = temporaryFolder();
    const spool = open(folder.path, { segmentBytes: 1e6 });
    fill(spool, 20);
    const [path = ""] = segmentsOf(folder.path);
    const bytes = readFileSync(path);
    bytes.fill(0xee, bytes.indexOf('"r7"'), bytes.indexOf('"r8"') - 30);
    writeFileSync(path, bytes);
    const { rows, gaps } = drain(open(folder.path));
    expect(gaps).toEqual([{ from: 7, to: gaps[0]?.to, reason: "CORRUPT" }]);
    expect(rows.size).toBe(20 - ((gaps[0]?.to ?? 0) - 6));
    expect(rows.size).toBeGreaterThanOrEqual(18);
  });

  test("gives a restored server what is still here again and calls the rest a gap", () => {
    using folder = temporaryFolder();
    const spool = open(folder.path);
    fill(spool, 40);
    spool.ack(40);
    const { rows, gaps } = drain(spool, 1);
    const firstKept = [...rows.keys()][0] ?? 41;
    expect(gaps).toEqual([{ from: 1, to: firstKept - 1, reason: "CORRUPT" }]);
    expect(rows.size).toBe(41 - firstKept);
  });

  test("more gaps than a batch may bring go in several, and what lies behind them comes after", () => {
    using folder = temporaryFolder();
    const first = open(folder.path);
    const lost = LIMITS.gapsPerBatch + 200;
    fill(first, lost);
    // Every other one was given up, and those between are damaged: as many gaps.
    for (let seq = 2; seq <= lost; seq += 2) first.drop(seq);
    for (const path of segmentsOf(folder.path)) writeFileSync(path, "rubbish");
    const spool = open(folder.path);
    fill(spool, 3);
    const { rows, gaps } = drain(spool);
    expect(gaps.map(({ from, to }) => [from, to])).toEqual(Array.from({ length: lost }, (_, i) => [i + 1, i + 1]));
    expect([...rows.keys()]).toEqual([lost + 1, lost + 2, lost + 3]);
  });

  test("one result the server will never take is given up as a gap", () => {
    using folder = temporaryFolder();
    const spool = open(folder.path);
    fill(spool, 3);
    spool.drop(2);
    const { rows, gaps } = drain(spool);
    expect([...rows.keys()]).toEqual([1, 3]);
    expect(gaps).toEqual([{ from: 2, to: 2, reason: "CORRUPT" }]);
  });

  test("numbers the server already has from before a power loss are not given to new results", () => {
    using folder = temporaryFolder();
    fill(open(folder.path), 10);
    const spool = open(folder.path);
    fill(spool, 3);
    spool.resume(spool.epoch, 15);
    expect([...drain(spool).rows]).toEqual([
      [16, "r11"],
      [17, "r12"],
      [18, "r13"],
    ]);
    expect([...drain(open(folder.path), 16).rows.keys()]).toEqual([16, 17, 18]);
  });

  test("spends nothing on its mark while the server has everything", async () => {
    using folder = temporaryFolder();
    const clock = manualClock();
    const spool = open(folder.path, { clock });
    const marks = () => readdirSync(epochDir(folder.path)).filter((name) => !name.endsWith(".seg"));
    fill(spool, 3);
    spool.ack(3);
    await clock.advance(1000);
    expect(marks()).toEqual([]);
    fill(spool, 1);
    await clock.advance(1000);
    expect(marks()).toHaveLength(1);
    expect([...drain(open(folder.path)).rows]).toEqual([[4, "r4"]]);
  });

  test("starts a new epoch when nothing readable is left", () => {
    using folder = temporaryFolder();
    const first = open(folder.path);
    fill(first, 3);
    for (const path of segmentsOf(folder.path)) writeFileSync(path, "rubbish");
    const second = open(folder.path);
    expect(second.epoch).not.toBe(first.epoch);
    expect(second.head).toBe(0);
  });

  test("whatever is appended, acknowledged and cut off, the rest comes back dense, in order and unchanged", () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant("append" as const), count: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ act: fc.constant("ack" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ act: fc.constant("crash" as const), cut: fc.double({ min: 0, max: 1, noNaN: true }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        using folder = temporaryFolder();
        let spool = open(folder.path);
        let model = new Map<number, string>();
        for (const it of steps) {
          if (it.act === "append") {
            for (let i = 0; i < it.count; i++) {
              const name = newId();
              spool.append([resultNamed(name)]);
              model.set(spool.head, name);
            }
            spool.flush();
          } else if (it.act === "ack") {
            spool.ack(spool.acked + Math.floor((spool.head - spool.acked) * it.part));
          } else {
            const last = segmentsOf(folder.path).at(-1);
            if (last) truncateSync(last, Math.floor(statSync(last).size * it.cut));
            spool = open(folder.path);
            model = new Map([...model].filter(([seq]) => seq <= spool.head));
          }
          const unsent = [...model].filter(([seq]) => seq > spool.acked);
          expect(drain(spool)).toEqual({ rows: new Map(unsent), gaps: [] });
        }
      }),
      { numRuns: 60 },
    );
  });

  test("goes on in memory when the disk is full, reports what it had to drop, and writes again when there is room", ({
    skip,
  }) => {
    using folder = temporaryFolder();
    using disk = tinyDisk(folder.path, "256k");
    if (!disk) return skip("needs permission to mount a tmpfs");
    const warnings: string[] = [];
    const spool = open(disk.path, { segmentBytes: 32_000, warn: (message) => warnings.push(message) });
    const pad = "x".repeat(900);
    fill(spool, 100, { pad });
    for (let i = 0; i < 30; i++) fill(spool, 100, { pad });
    expect(warnings.some((warning) => warning.includes("cannot write the spool"))).toBe(true);
    const full = drain(spool);
    expect(full.gaps).toEqual([expect.objectContaining({ reason: "DISK_FULL" })]);
    expect(full.rows.size + (full.gaps[0]?.to ?? 0) - (full.gaps[0]?.from ?? 0) + 1).toBe(3100);
    spool.ack(spool.head - 50);
    fill(spool, 5);
    expect([...drain(open(disk.path)).rows.keys()]).toHaveLength(55);
  });
});
