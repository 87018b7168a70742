import type { SpoolGap } from "@poppo-ops/plugins/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admit, type Mark } from "./admit.js";

const EPOCH = "e";
const batch = (from: number, rows: number, gaps: [number, number][] = [], epoch = EPOCH) => ({
  epoch,
  from,
  rows,
  gaps: gaps.map(([from, to]): SpoolGap => ({ from, to, reason: "AGE" })),
});
const at = (acked: number): Mark => ({ epoch: EPOCH, acked });

describe("what of a batch is new", () => {
  const cases: [why: string, mark: Mark, given: ReturnType<typeof batch>, skip: number, acked: number][] = [
    ["what follows directly", at(3), batch(4, 2), 0, 5],
    ["nothing of a replay", at(5), batch(4, 2), 2, 5],
    ["the rest of one that overlaps", at(4), batch(3, 4), 2, 6],
    ["nothing of one far behind", at(90), batch(1, 5), 5, 90],
    ["all behind a gap", at(3), batch(8, 2, [[4, 7]]), 0, 9],
    [
      "all behind several gaps, told in any order",
      at(0),
      batch(7, 1, [
        [4, 6],
        [1, 3],
      ]),
      0,
      7,
    ],
    ["gaps alone", at(3), batch(9, 0, [[4, 8]]), 0, 8],
    ["a gap that follows the rows", at(3), batch(4, 1, [[5, 9]]), 0, 9],
    ["a gap known in part", at(5), batch(8, 1, [[4, 7]]), 0, 8],
    ["a new epoch, from its beginning", { epoch: "old", acked: 70 }, batch(1, 2), 0, 2],
    ["the very first", { epoch: null, acked: 0 }, batch(1, 1), 0, 1],
  ];
  test.each(cases)("%s", (_, mark, given, skip, acked) => {
    expect(admit(mark, given)).toMatchObject({ skip, mark: { epoch: EPOCH, acked } });
  });
});

test.each([
  ["a hole", at(3), batch(5, 1), 4],
  ["a hole that a gap explains in part", at(3), batch(8, 1, [[4, 6]]), 4],
  ["a new epoch in its middle", { epoch: "old", acked: 70 }, batch(71, 1), 1],
  ["the very first in its middle", { epoch: null, acked: 0 }, batch(2, 1), 1],
])("%s is out of order", (_, mark, given, expectedSeq) => {
  expect(() => admit(mark, given)).toThrow(expect.objectContaining({ code: "OUT_OF_ORDER", details: { expectedSeq } }));
});

test("gaps are reported once", () => {
  expect(admit(at(5), batch(8, 1, [[6, 7]])).gaps).toHaveLength(1);
  expect(admit(at(8), batch(8, 1, [[6, 7]])).gaps).toEqual([]);
});

test("however batches are cut, repeated and gapped, every result is admitted exactly once and in order", () => {
  const sends = fc.array(fc.record({ back: fc.nat(5), rows: fc.nat(7), gap: fc.nat(3) }), { maxLength: 40 });
  fc.assert(
    fc.property(sends, (given) => {
      let mark = at(0);
      const admitted: number[] = [];
      const gapped = new Set<number>();
      for (const { back, rows, gap } of given) {
        const from = Math.max(1, mark.acked + 1 - back) + (back === 0 ? gap : 0);
        const gaps: [number, number][] = from > mark.acked + 1 ? [[mark.acked + 1, from - 1]] : [];
        for (const [first, last] of gaps) for (let seq = first; seq <= last; seq++) gapped.add(seq);
        const { skip, mark: next } = admit(mark, batch(from, rows, gaps));
        for (let i = skip; i < rows; i++) admitted.push(from + i);
        expect(next.acked).toBeGreaterThanOrEqual(mark.acked);
        mark = next;
      }
      const expected = Array.from({ length: mark.acked }, (_, i) => i + 1).filter((seq) => !gapped.has(seq));
      expect(admitted).toEqual(expected);
    }),
  );
});
