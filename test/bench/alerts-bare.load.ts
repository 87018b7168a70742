import { randomUUID } from "node:crypto";
import pg from "pg";
import { load } from "./load-process.js";

export interface BareAlertsInput {
  databaseUrl: string;
  alerts: number;
  batch: number;
  connections: number;
}

const INSERT = `INSERT INTO bench_alerts (id, title, severity, peak_severity, source, dedup_key)
  SELECT id, title, 'P0', 'P0', 'bench', title FROM unnest($1::uuid[], $2::text[]) g(id, title)`;
const RESOLVE =
  "UPDATE bench_alerts a SET status = 'RESOLVED', resolved_at = now() FROM unnest($1::uuid[]) g(id) WHERE a.id = g.id";

/** The limit of alerts: as many rows in a table like that of incidents, and a commit per request; nothing else. */
load<BareAlertsInput, number>(async ({ databaseUrl, alerts, batch, connections }) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: connections });
  await pool.query("DROP TABLE IF EXISTS bench_alerts");
  await pool.query(
    "CREATE TABLE bench_alerts (LIKE incidents INCLUDING DEFAULTS INCLUDING IDENTITY, PRIMARY KEY (id))",
  );
  const requests = Array.from({ length: alerts / batch }, (_, i) => ({
    ids: Array.from({ length: batch }, () => randomUUID() as string),
    titles: Array.from({ length: batch }, (_, j) => `host-${i * batch + j} is down`),
  }));
  const each = async (send: (request: (typeof requests)[0]) => Promise<unknown>) => {
    const left = [...requests];
    const one = async () => {
      for (let request = left.pop(); request; request = left.pop()) await send(request);
    };
    await Promise.all(Array.from({ length: connections }, one));
  };
  const started = performance.now();
  await each(({ ids, titles }) => pool.query(INSERT, [ids, titles]));
  await each(({ ids }) => pool.query(RESOLVE, [ids]));
  const seconds = (performance.now() - started) / 1000;
  await pool.query("DROP TABLE bench_alerts");
  await pool.end();
  return (2 * alerts) / seconds;
});
