import { type ServerProcess, startServerProcess } from "../harness/server-process.js";
import { openSql, type Sql } from "../harness/sql.js";
import { acknowledgementsOf, LIST } from "./ack.bench.js";
import { asAdmin, graphqlBody, httpLoad } from "./http-load.js";
import { fillIncidents } from "./incidents-fill.js";
import { agentsReport, someProbes } from "./ingest.bench.js";
import { eventually } from "./program.js";
import { fillResults } from "./results-fill.js";
import { type Row, round } from "./row.js";

/** Of the smallest store; the others have ten and a hundred times as much. */
const INCIDENTS = 1000;
const RESULTS = 20_000;
const SCALES = [1, 10, 100];

interface Costs {
  ingestMicros: number;
  listMs: number;
  ackMs: number;
}

/** What an operation costs as the store grows. */
export async function growth(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const probeIds = await someProbes(server);
  const costs: Costs[] = [];
  let filled = 0;
  for (const scale of SCALES) {
    const more = scale - filled;
    await fillResults(server.databaseUrl, { rows: more * RESULTS, hours: 24, endedHoursAgo: 0 });
    await fillIncidents(server, { from: filled * INCIDENTS + 1, to: scale * INCIDENTS });
    filled = scale;
    costs.push(await costsNow(server, probeIds, quick ? 2 : 5));
  }
  const sizes = `${INCIDENTS} open incidents and ${RESULTS} results, ten and a hundred times as many`;
  const row = (id: string, unit: string, figure: (cost: Costs) => number, what: string): Row => {
    const [small, middle, large] = costs.map((cost) => round(figure(cost), 2));
    const note = `${what}, in the largest of three stores; ${middle} in the middle one; limit: in the smallest one`;
    return { id, value: large!, unit, limit: small!, note };
  };
  return [
    row("growth.ingest", "µs/result", ({ ingestMicros }) => ingestMicros, `200 agents report; ${sizes}`),
    row("growth.list", "ms", ({ listMs }) => listMs, "median of a first page of 50"),
    row("growth.ack", "ms", ({ ackMs }) => ackMs, "median of an acknowledgement"),
    await expiry(server, SCALES.at(-1)! * RESULTS),
  ];
}

async function costsNow(server: ServerProcess, probeIds: string[], seconds: number): Promise<Costs> {
  const load = { headers: asAdmin, url: `${server.url}/graphql`, connections: 4 };
  const filter = { statuses: ["TRIGGERED"], severities: ["P1"] };
  const list = await httpLoad({ ...load, seconds, bodies: [graphqlBody(LIST, { filter })], expected: '"number"' });
  const bodies = await acknowledgementsOf(server, 600);
  await httpLoad({ ...load, bodies: bodies.slice(0, 100), expected: '"ACKNOWLEDGED"' });
  const ack = await httpLoad({ ...load, bodies: bodies.slice(100), expected: '"ACKNOWLEDGED"' });
  const { perSecond } = await agentsReport(server, { probeIds, seconds, changing: 0 });
  return { ingestMicros: 1e6 / perSecond, listMs: list.p50, ackMs: ack.p50 };
}

/** A day of results that is too old goes by the hour, when the server starts and every minute after. */
async function expiry(server: ServerProcess, rows: number): Promise<Row> {
  await using sql = await openSql(server.databaseUrl);
  const before = await storedResults(sql);
  await fillResults(server.databaseUrl, { rows, hours: 24, endedHoursAgo: 72 });
  const full = await storedResults(sql);
  await sql.query("CREATE TABLE bench_results AS SELECT * FROM probe_results WHERE at < now() - interval '71 hours'");
  const deleting = performance.now();
  await sql.query("DELETE FROM bench_results");
  const deleteMs = performance.now() - deleting;
  await sql.query("DROP TABLE bench_results");
  // A second server on the same database: this one's must stay up for the question.
  await using replica = await startServerProcess({ DATABASE_URL: server.databaseUrl });
  const dropping = performance.now();
  const after = await eventually(async () => {
    const now = await storedResults(sql);
    if (now.partitions > before.partitions) throw new Error(`${replica.url} keeps ${now.partitions} partitions`);
    return now;
  });
  const dropMs = performance.now() - dropping;
  return {
    id: "growth.kept",
    value: round(after.mib),
    unit: "MiB",
    limit: round(before.mib),
    note: `raw results after a day of ${rows} that is too old, ${round(full.mib - before.mib)} MiB, was dropped by its 24 partitions in ${Math.round(dropMs)} ms (DELETE of as many: ${Math.round(deleteMs)} ms, and a vacuum); limit: before that day was written`,
  };
}

async function storedResults(sql: Sql): Promise<{ mib: number; partitions: number }> {
  const [stored] = await sql.query<{ mib: number; partitions: number }>(
    `SELECT sum(pg_total_relation_size(inhrelid))::float8 / 1048576 AS mib, count(*)::int AS partitions
     FROM pg_inherits WHERE inhparent = 'probe_results'::regclass`,
  );
  return stored!;
}
