import { randomUUID } from "node:crypto";
import {
  bigintArray,
  intArray,
  realArray,
  smallintArray,
  textArray,
  timestampArray,
} from "@poppo-ops/api/dist/agents/binary-array.js";
import pg from "pg";
import { load } from "./load-process.js";

export interface UnnestInput {
  databaseUrl: string;
  rows: number;
  seconds: number;
}

const INSERT = {
  name: "insert",
  text: `INSERT INTO bench_results (at, agent_id, probe_id, item, seq, duration_ms, status, summary, metrics)
    SELECT at, ($1::uuid[])[who], ($1::uuid[])[who], item, seq, ms, status, summary, metrics
    FROM unnest($2::int[], $3::text[], $4::bigint[], $5::timestamptz[], $6::real[], $7::smallint[], $8::text[], $9::text[])
      AS r(who, item, seq, at, ms, status, summary, metrics)`,
};
const WARM_UP_MS = 1000;

/**
 * The limit of ingest: the same rows in the same form, 4,000 to a prepared statement and a commit, on one connection. They
 * are made before the clock starts, and nothing else is done.
 */
load<UnnestInput, { perSecond: number }>(async ({ databaseUrl, rows, seconds }) => {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query("DROP TABLE IF EXISTS bench_results");
  await client.query("CREATE TABLE bench_results (LIKE probe_results INCLUDING DEFAULTS)");
  await client.query("CREATE INDEX ON bench_results USING brin (at)");
  const column = <T>(value: (i: number) => T) => Array.from({ length: rows }, (_, i) => value(i));
  const now = Date.now();
  const values = [
    Array.from({ length: 20 }, () => randomUUID()),
    intArray(column((i) => (i % 20) + 1)),
    textArray(column(() => "")),
    bigintArray(column((i) => i)),
    timestampArray(column(() => now)),
    realArray(column(() => 3)),
    smallintArray(column(() => 0)),
    textArray(column(() => "load is 0.42 per core")),
    textArray(column(() => '{"load1":[0.42,"1"],"load5":[0.4,"1"]}')),
  ];
  const insertFor = async (ms: number) => {
    const started = performance.now();
    let inserted = 0;
    for (; performance.now() - started < ms; inserted += rows) await client.query({ ...INSERT, values });
    return inserted / ((performance.now() - started) / 1000);
  };
  await insertFor(WARM_UP_MS);
  const perSecond = await insertFor(seconds * 1000);
  await client.query("DROP TABLE bench_results");
  await client.end();
  return { perSecond };
});
