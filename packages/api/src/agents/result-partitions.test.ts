import { expect, test } from "vitest";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { resultPartitions } from "./result-partitions.js";
import { sql } from "./testing/sql.js";

const HOUR_MS = 3_600_000;
const module = (app: TestApp, retentionMs = 48 * HOUR_MS) => resultPartitions(app, retentionMs, 1000);
const insert = (app: TestApp, hours: number) =>
  sql(
    { app },
    `INSERT INTO probe_results VALUES (now() + make_interval(hours => $1), gen_random_uuid(), gen_random_uuid(), '', 1, 1, 0, 'r', NULL)`,
    [hours],
  );
/** Where the rows are, from the oldest to the newest. */
const places = async (app: TestApp) =>
  (await sql({ app }, "SELECT tableoid::regclass::text AS place FROM probe_results ORDER BY at")).map((row) =>
    row.place === "probe_results_late" ? "late" : "hour",
  );
const partitions = async (app: TestApp) =>
  (
    await sql(
      { app },
      "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'probe_results'::regclass",
    )
  ).length;

test("this hour and the next three have partitions; making them again makes nothing", async () => {
  await using app = await testApp();
  expect(await module(app).step()).toBe(4);
  expect(await module(app).step()).toBe(0);
  for (const hours of [-1, 0, 3, 5]) await insert(app, hours);
  expect(await places(app)).toEqual(["late", "hour", "hour", "late"]);
});

test("rows that came before their partition move into it", async () => {
  await using app = await testApp();
  for (const hours of [-1, 0, 1]) await insert(app, hours);
  expect(await places(app)).toEqual(["late", "late", "late"]);
  await module(app).step();
  expect(await places(app)).toEqual(["late", "hour", "hour"]);
});

test("replicas that start together make each partition once", async () => {
  await using app = await testApp();
  await insert(app, 0);
  await Promise.all([module(app), module(app), module(app)].map((one) => one.step()));
  expect(await partitions(app)).toBe(5);
  expect(await places(app)).toEqual(["hour"]);
});

test("hours past the retention are dropped, and so are late rows of that age", async () => {
  await using app = await testApp();
  await sql(
    { app },
    `CREATE TABLE probe_results_2020010100 PARTITION OF probe_results FOR VALUES FROM ('2020-01-01 00:00Z') TO ('2020-01-01 01:00Z')`,
  );
  for (const hours of [-60, -40, 0]) await insert(app, hours);
  await module(app).step();
  expect(await partitions(app)).toBe(5);
  expect(await places(app)).toEqual(["late", "hour"]);
});

test("a partition is kept while a result in it may still be within the retention", async () => {
  await using app = await testApp();
  await module(app).step();
  await insert(app, 0);
  await module(app, 1000).step();
  expect(await places(app)).toEqual(["hour"]);
});
