import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../db/testing/test-database.js";
import { bigintArray, intArray, realArray, smallintArray, textArray, timestampArray } from "./binary-array.js";

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await testDatabase();
  client = new pg.Client(database.url);
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database[Symbol.asyncDispose]();
});

/** What PostgreSQL understands, element by element. */
async function understood(parameter: Buffer, type: string, read = "x"): Promise<unknown[]> {
  const { rows } = await client.query(
    `SELECT ${read} AS x FROM unnest($1::${type}[]) WITH ORDINALITY u(x, i) ORDER BY i`,
    [parameter],
  );
  return rows.map((row) => row.x);
}

/** For any values: what PostgreSQL understood of them, against what it should have. */
const roundTrip = <T>(element: fc.Arbitrary<T>, understoodOf: (values: T[]) => Promise<unknown[]>) =>
  fc.assert(
    fc.asyncProperty(fc.array(element, { maxLength: 50 }), async (values) => {
      expect(await understoodOf(values)).toEqual(values);
    }),
    { numRuns: 50 },
  );

test("whole numbers arrive as they are", async () => {
  await roundTrip(fc.integer({ min: -32768, max: 32767 }), (values) => understood(smallintArray(values), "smallint"));
  await roundTrip(fc.integer(), (values) => understood(intArray(values), "int"));
  await roundTrip(fc.maxSafeInteger(), async (values) =>
    (await understood(bigintArray(values), "bigint")).map((value) => Number(value)),
  );
});

test("fractions arrive at single precision", async () => {
  const fraction = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
  await roundTrip(fraction, async (values) =>
    (await understood(realArray(values), "real")).map((value) => Math.fround(value as number) + 0),
  );
});

test("moments arrive to the microsecond", async () => {
  await roundTrip(fc.integer({ min: 0, max: 7_258_118_400_000 }), async (values) =>
    (await understood(timestampArray(values), "timestamptz")).map((moment) => (moment as Date).getTime()),
  );
  const [exact] = await understood(timestampArray([1_700_000_000_123.456]), "timestamptz", "to_char(x, 'SS.US')");
  expect(exact).toBe("20.123456");
});

test("text arrives whole, whatever is in it, and null stays null", async () => {
  const text = fc.string({ unit: "grapheme" }).map((value) => value.replaceAll("\u0000", ""));
  await roundTrip(fc.option(text), (values) => understood(textArray(values), "text"));
});

test("an empty array is empty", async () => {
  expect(await understood(intArray([]), "int")).toEqual([]);
  expect(await understood(textArray([]), "text")).toEqual([]);
});
