import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeOutputBatch,
  decodeResultBatch,
  encodeResultBatch,
  LIMITS,
  OUTCOME_STATUSES,
  type ResultBatch,
  resultAt,
  WireError,
} from "./wire.js";

const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const string = (maxLength: number) => fc.string({ maxLength }).filter((text) => !text.includes("\0"));
const value = fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0);
const uuid = fc.uuid();
const metrics = fc.dictionary(
  string(30).filter((name) => name !== "__proto__"),
  fc.tuple(value, string(16)),
  { maxKeys: 8 },
);
const evidence = fc.dictionary(
  string(20).filter((name) => name !== "__proto__"),
  fc.oneof(string(100), value, fc.boolean(), fc.constant(null), fc.array(string(10), { maxLength: 4 })),
  { maxKeys: 5 },
);

const result = fc.record({
  probeId: uuid,
  item: string(LIMITS.itemChars),
  at: fc.nat({ max: 2_000_000_000_000 }),
  durationMs: fc.nat(),
  status: fc.constantFrom(...OUTCOME_STATUSES),
  summary: string(LIMITS.summaryChars),
  metrics: fc.option(metrics),
  evidence: fc.option(evidence),
});

const batch: fc.Arbitrary<ResultBatch> = fc.record({
  epoch: uuid,
  from: fc.nat(),
  results: fc.array(result, { maxLength: 20 }),
  gaps: fc.array(
    fc
      .tuple(
        fc.nat(),
        fc.nat(),
        fc.constantFrom("BYTES" as const, "AGE" as const, "CORRUPT" as const, "DISK_FULL" as const),
      )
      .map(([from, length, reason]) => ({ from, to: from + length, reason })),
    { maxLength: 3 },
  ),
});

function refusal(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error.message;
    throw error;
  }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("a result batch", () => {
  test("is after the journey what it was before", () => {
    fc.assert(
      fc.property(batch, (sent) => {
        const received = decodeResultBatch(overTheWire(encodeResultBatch(sent)));
        const { epoch, from, rows, gaps } = received;
        const results = Array.from({ length: rows }, (_, row) => resultAt(received, row));
        expect(plain({ epoch, from, results, gaps })).toEqual(plain(sent));
      }),
    );
  });

  test("of anything at all is read or refused with a WireError, never with another failure", () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.jsonValue()), (garbage) => {
        refusal(() => decodeResultBatch(garbage));
        refusal(() => decodeOutputBatch(garbage));
      }),
      { numRuns: 500 },
    );
  });

  test("with one value anywhere replaced by anything is read or refused with a WireError", () => {
    fc.assert(
      fc.property(batch, fc.jsonValue(), fc.nat(), fc.nat(), (sent, intruder, which, where) => {
        const columns = overTheWire(encodeResultBatch(sent)) as Record<string, unknown>;
        const names = Object.keys(columns);
        const name = names[which % names.length] as string;
        const column = columns[name];
        if (Array.isArray(column) && column.length > 0) column[where % column.length] = intruder;
        else columns[name] = intruder;
        refusal(() => decodeResultBatch(columns));
      }),
      { numRuns: 500 },
    );
  });

  const COLUMNS = ["item", "at", "ms", "status", "summary", "metrics", "evidence", "probe"] as const;

  test.each(COLUMNS)("with a %s column of another length is refused", (name) => {
    fc.assert(
      fc.property(
        batch.filter(({ results }) => results.length > 0),
        (sent) => {
          const columns = overTheWire(encodeResultBatch(sent)) as Record<string, unknown[]>;
          columns[name]?.pop();
          expect(refusal(() => decodeResultBatch(columns))).toMatch(/columns must be as long/);
        },
      ),
      { numRuns: 20 },
    );
  });

  const one = {
    probeId: "00000000-0000-4000-8000-000000000000",
    item: "",
    at: 0,
    durationMs: 1,
    status: "OK" as const,
    summary: "fine",
    metrics: null,
    evidence: null,
  };
  const wire = (change: object) =>
    overTheWire(encodeResultBatch({ epoch: one.probeId, from: 0, gaps: [], results: [{ ...one, ...change }] }));

  test.each([
    ["the item", { item: "a\0b" }],
    ["the summary", { summary: "\0" }],
    ["a metric's name", { metrics: { "a\0": [1, "s"] } }],
    ["a metric's unit", { metrics: { a: [1, "\0"] } }],
    ["evidence", { evidence: { log: ["x\0"] } }],
    ["a key of evidence", { evidence: { "x\0": 1 } }],
    ["the item, as half a character", { item: "\ud800" }],
    ["the summary, as half a character", { summary: "cut in \ud83d" }],
    ["evidence, as half a character", { evidence: { log: "\ud800" } }],
  ])("with NUL in %s is refused, because PostgreSQL cannot hold it", (_, change) => {
    expect(refusal(() => decodeResultBatch(wire(change)))).toMatch(/batch\.\w+\[0\]/);
  });

  test.each([
    ["an item", { item: "x".repeat(LIMITS.itemChars + 1) }],
    ["a summary", { summary: "x".repeat(LIMITS.summaryChars + 1) }],
    ["evidence", { evidence: { log: "x".repeat(LIMITS.evidenceChars) } }],
    ["a set of metrics", { metrics: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`m${i}`, [i, "1"]])) }],
  ])("with %s over its limit is refused", (_, change) => {
    expect(refusal(() => decodeResultBatch(wire(change)))).toMatch(/at most/);
  });

  test("of more rows than allowed is refused before a row is read", () => {
    const results = new Array(LIMITS.batchRows + 1).fill(one);
    const columns = encodeResultBatch({ epoch: one.probeId, from: 0, gaps: [], results });
    expect(refusal(() => decodeResultBatch(columns))).toMatch(/1001 rows; the limit is 1000/);
  });

  test("of more gaps than allowed is refused before a gap is read", () => {
    const gaps = new Array(LIMITS.gapsPerBatch + 1).fill({ from: 1, to: 1, reason: "AGE" });
    const columns = encodeResultBatch({ epoch: one.probeId, from: 2, gaps, results: [] });
    expect(refusal(() => decodeResultBatch(columns))).toMatch(/1001 gaps; the limit is 1000/);
  });

  test("with an escaped NUL in the text of evidence is accepted: it is text, not NUL", () => {
    const evidence = { log: String.raw`"\u0000"` };
    expect(decodeResultBatch(wire({ evidence })).evidence[0]).toEqual(evidence);
  });

  test("with an index outside its list is refused", () => {
    const columns = wire({}) as Record<string, unknown[]>;
    for (const index of [-1, 0.5, 7, null, "0", "length", [0], { toString: 1 }]) {
      expect(refusal(() => decodeResultBatch({ ...columns, probe: [index] }))).toMatch(/index into batch.probes/);
      expect(refusal(() => decodeResultBatch({ ...columns, status: [index] }))).toMatch(/index into OUTCOME_STATUSES/);
    }
  });
});

describe("an output batch", () => {
  const commandId = "00000000-0000-4000-8000-000000000000";
  const chunk = fc.record({
    seq: fc.nat(),
    stream: fc.constantFrom("stdout" as const, "stderr" as const, "system" as const),
    offset: fc.nat(),
    text: string(200),
  });

  test("is after the journey what it was before", () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 10 }), (chunks) => {
        const sent = { commandId, chunks };
        expect(plain(decodeOutputBatch(overTheWire(sent)))).toEqual(plain(sent));
      }),
    );
  });

  test.each([
    ["NUL", "a\0"],
    ["half a character", "\udc00"],
    ["more than a chunk may hold", "x".repeat(LIMITS.outputChunkChars + 1)],
  ])("with %s is refused", (_, text) => {
    const chunks = [{ seq: 0, stream: "stdout", offset: 0, text }];
    expect(refusal(() => decodeOutputBatch({ commandId, chunks }))).toBeDefined();
  });
});
