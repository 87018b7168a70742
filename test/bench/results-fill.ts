import { openSql } from "../harness/sql.js";

const HOUR_MS = 3_600_000;

/** Writes probe results by SQL, evenly over the `hours` that end `endedHoursAgo` hours ago, into a partition per hour. */
export async function fillResults(
  databaseUrl: string,
  { rows, hours, endedHoursAgo }: { rows: number; hours: number; endedHoursAgo: number },
): Promise<void> {
  await using sql = await openSql(databaseUrl);
  const end = (Math.floor(Date.now() / HOUR_MS) - endedHoursAgo) * HOUR_MS;
  const starts = Array.from({ length: hours }, (_, i) => end - (i + 1) * HOUR_MS);
  await sql.query(starts.map(partition).join(";"));
  await sql.query(
    `INSERT INTO probe_results (at, agent_id, probe_id, item, seq, duration_ms, status, summary, metrics)
     SELECT to_timestamp($2::float8 / 1000 + i * $3::float8), md5((i % 200)::text)::uuid, md5((i % 20)::text)::uuid, '', i, 3, 0,
       'load is 0.42 per core', '{"load1":[0.42,"1"],"load5":[0.4,"1"]}'
     FROM generate_series(0, $1::int - 1) i`,
    [rows, starts.at(-1), (hours * 3600) / rows],
  );
}

/** Named as the server names them, so that it knows which are too old. */
function partition(start: number): string {
  const name = new Date(start).toISOString().slice(0, 13).replace(/[-T]/g, "");
  const [from, to] = [start, start + HOUR_MS].map((ms) => new Date(ms).toISOString());
  return `CREATE TABLE IF NOT EXISTS probe_results_${name} PARTITION OF probe_results FOR VALUES FROM ('${from}') TO ('${to}')`;
}
