import type { Module } from "../engine/engine.js";
import type { App } from "../kernel/app.js";

const HOUR_MS = 3_600_000;
const AHEAD = 3;
const LATE = "probe_results_late";
/** Nothing in a partition changes, and it is dropped before its rows must be frozen: looked at each time it has doubled. */
const GROWS_ONLY = "autovacuum_vacuum_insert_scale_factor = 1, autovacuum_analyze_scale_factor = 1";

/**
 * Raw results live in one partition per hour: an hour that is too old is dropped as a whole, which costs nothing, where a
 * DELETE would have to visit each row. What is written before its partition exists goes to the default partition.
 */
export const resultPartitions = (app: App, retentionMs: number, everyMs: number): Module => ({
  name: "partitions of results",
  batch: Number.POSITIVE_INFINITY,
  everyMs,
  async step() {
    const { rows } = await app.database.pool.query<{ now: Date }>("SELECT now()");
    const now = rows[0]!.now.getTime();
    const made = await makeAhead(app, now);
    return made + (await dropOld(app, now - retentionMs));
  },
});

async function makeAhead(app: App, now: number): Promise<number> {
  const existing = new Set(await partitions(app));
  const hours = Array.from({ length: AHEAD + 1 }, (_, i) => (Math.floor(now / HOUR_MS) + i) * HOUR_MS);
  const missing = hours.filter((hour) => !existing.has(nameOf(hour)));
  for (const hour of missing) await make(app, hour);
  return missing.length;
}

/**
 * A partition cannot be attached while the default one holds rows of its hour, so those move into it in the same
 * transaction. Replicas take turns; whoever is second finds it made.
 */
function make(app: App, hour: number): Promise<void> {
  const name = nameOf(hour);
  const bounds = [hour, hour + HOUR_MS].map((ms) => `'${new Date(ms).toISOString()}'`);
  return app.database.transaction(async ({ client }) => {
    await client.query("SELECT pg_advisory_xact_lock(hashtext('poppo result partitions'))");
    const { rows } = await client.query("SELECT to_regclass($1) AS there", [name]);
    if (rows[0].there) return;
    await client.query("SET LOCAL lock_timeout = '5s'");
    // Nothing may be written to the default partition between the move and the attachment.
    await client.query(`LOCK TABLE ${LATE} IN ACCESS EXCLUSIVE MODE`);
    await client.query(`CREATE TABLE ${name} (LIKE probe_results INCLUDING DEFAULTS) WITH (${GROWS_ONLY})`);
    await client.query(
      `WITH moved AS (DELETE FROM ${LATE} WHERE at >= ${bounds[0]} AND at < ${bounds[1]} RETURNING *)
       INSERT INTO ${name} SELECT * FROM moved`,
    );
    await client.query(
      `ALTER TABLE probe_results ATTACH PARTITION ${name} FOR VALUES FROM (${bounds[0]}) TO (${bounds[1]})`,
    );
  });
}

async function dropOld(app: App, before: number): Promise<number> {
  const oldest = nameOf(before - HOUR_MS);
  const old = (await partitions(app)).filter((name) => name < oldest);
  for (const name of old) await drop(app, name);
  const { rowCount } = await app.database.pool.query(`DELETE FROM ${LATE} WHERE at < to_timestamp($1::float8 / 1000)`, [
    before,
  ]);
  return old.length + (rowCount ?? 0);
}

/** A query that reads the table for long must not make every insert queue up behind this: it gives up and comes again. */
function drop(app: App, name: string): Promise<void> {
  return app.database.transaction(async ({ client }) => {
    await client.query("SELECT pg_advisory_xact_lock(hashtext('poppo result partitions'))");
    await client.query("SET LOCAL lock_timeout = '2s'");
    await client.query(`DROP TABLE IF EXISTS ${name}`);
  });
}

async function partitions(app: App): Promise<string[]> {
  const { rows } = await app.database.pool.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'probe_results'::regclass",
  );
  return rows.map(({ name }) => name).filter((name) => name !== LATE);
}

/** `probe_results_2026112322`: names sort as their hours do. */
const nameOf = (hour: number): string =>
  `probe_results_${new Date(Math.floor(hour / HOUR_MS) * HOUR_MS).toISOString().slice(0, 13).replace(/[-T]/g, "")}`;
