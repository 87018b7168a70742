import { drizzle } from "drizzle-orm/node-postgres";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { readEvents } from "./read-events.js";

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app[Symbol.asyncDispose]());

const QUIET = "00000000-0000-4000-8000-000000000001";
const LOUD = "00000000-0000-4000-8000-000000000002";

test("the few events of one service among 20,000 are found by index, and not along the whole log", async () => {
  const { pool } = app.database;
  await pool.query(
    `INSERT INTO events (seq, type, at, actor, service_id, summary, payload, hash)
     SELECT i, 'incident.raised', now(), 'test',
            CASE WHEN i % 4000 = 0 THEN $1 WHEN i % 2 = 0 THEN $2 END::uuid, 'event ' || i, '{}', ''
     FROM generate_series(1, 20000) AS i`,
    [QUIET, LOUD],
  );
  await pool.query("UPDATE event_head SET head = 20000");
  await pool.query("ANALYZE events");
  const sent: [pg.QueryConfig, unknown[]][] = [];
  const recording = {
    query(statement: pg.QueryConfig, values: unknown[]) {
      sent.push([statement, values]);
      return pool.query(statement, values);
    },
  };
  const page = await readEvents(drizzle(recording as unknown as pg.Pool), {
    filter: { serviceIds: [QUIET] },
    first: 2,
  });
  expect(page.events.map(({ seq }) => seq)).toEqual([4000, 8000]);
  const [{ text }, values] = sent.at(-1)!;
  const { rows } = await pool.query(`EXPLAIN ${text}`, values);
  expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("events_service");
});
