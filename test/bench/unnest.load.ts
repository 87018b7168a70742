import { randomUUID } from "node:crypto";
import pg from "pg";
import { load } from "./load-process.js";

export interface UnnestInput {
  databaseUrl: string;
  rows: number;
  seconds: number;
}

/** The limit of ingest: the same rows, one statement per 4,000 of them, one connection, nothing else. */
load<UnnestInput, { perSecond: number }>(async ({ databaseUrl, rows, seconds }) => {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query("DROP TABLE IF EXISTS bench_results");
  await client.query("CREATE TABLE bench_results (LIKE probe_results INCLUDING DEFAULTS)");
  await client.query("CREATE INDEX ON bench_results USING brin (at)");
  const ids = Array.from({ length: 20 }, () => randomUUID());
  const column = <T>(value: (i: number) => T) => Array.from({ length: rows }, (_, i) => value(i));
  const statement =
    "INSERT INTO bench_results SELECT to_timestamp(at / 1000), agent_id, probe_id, '', seq, ms, status, summary, metrics FROM unnest($1::float8[], $2::uuid[], $3::uuid[], $4::bigint[], $5::real[], $6::smallint[], $7::text[], $8::text[]) AS r(at, agent_id, probe_id, seq, ms, status, summary, metrics)";
  let inserted = 0;
  const started = performance.now();
  while (performance.now() - started < seconds * 1000) {
    await client.query(statement, [
      column(() => Date.now()),
      column((i) => ids[i % 20]),
      column((i) => ids[i % 20]),
      column((i) => inserted + i),
      column(() => 3),
      column(() => 0),
      column(() => "load is 0.42 per core"),
      column(() => '{"load1":[0.42,"1"],"load5":[0.4,"1"]}'),
    ]);
    inserted += rows;
  }
  const perSecond = inserted / ((performance.now() - started) / 1000);
  await client.query("DROP TABLE bench_results");
  await client.end();
  return { perSecond };
});
