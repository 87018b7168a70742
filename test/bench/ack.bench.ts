import type { ServerProcess } from "../harness/server-process.js";
import { openSql } from "../harness/sql.js";
import type { HttpOutput } from "./http.load.js";
import { asAdmin, graphqlBody, httpLoad } from "./http-load.js";
import { type Row, round } from "./row.js";

const CONNECTIONS = 4;

const ACKNOWLEDGE =
  "mutation ($id: ID!) { acknowledgeIncident(input: { id: $id }) { incident { id number status acknowledgedAt } userErrors { code } } }";
export const LIST = `query ($filter: IncidentFilter) { incidents(filter: $filter, first: 50) {
  nodes { id number title status severity category assignee lastSeenAt service { name } } pageInfo { hasNextPage endCursor } } }`;

/** What responders wait for in a store filled with open incidents. */
export async function ack(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const load = { headers: asAdmin, url: `${server.url}/graphql`, seconds: quick ? 3 : 8 };
  const measure = async (bodies: string[], expected: string) => ({
    together: await httpLoad({ ...load, bodies, expected, connections: CONNECTIONS }),
    alone: await httpLoad({ ...load, bodies: bodies.toReversed(), expected, connections: 1 }),
  });
  const filters = await listFilters(server);
  const bodies = filters.map((filter) => graphqlBody(LIST, { filter }));
  const list = await measure(bodies, '"number"');
  const ack = await measure(await acknowledgementsOf(server, 50_000), '"ACKNOWLEDGED"');
  return [
    {
      id: "list",
      value: round(list.together.p99, 2),
      unit: "ms",
      note: `p99 of a first page of 50 by ${filters.length} filters in turn; ${told(list)}`,
    },
    {
      id: "ack",
      value: round(ack.together.p99, 2),
      unit: "ms",
      note: `p99 of acknowledgeIncident with 100,000 open incidents; ${told(ack)}`,
    },
  ];
}

const told = ({ together, alone }: Record<"together" | "alone", HttpOutput>): string =>
  `${CONNECTIONS} at once as fast as they are answered, ${Math.round(together.perSecond)}/s, p50 ${round(together.p50, 2)} ms; one alone: p50 ${round(alone.p50, 2)} ms, p99 ${round(alone.p99, 2)} ms; budget 10 ms`;

/** One of each kind of condition, and some together. */
async function listFilters({ databaseUrl }: ServerProcess): Promise<object[]> {
  const [serviceId] = await ids(databaseUrl, "SELECT id FROM services ORDER BY name LIMIT 1");
  const statuses = ["TRIGGERED", "ACKNOWLEDGED"];
  return [
    {},
    { statuses },
    { statuses, severities: ["P0", "P1"] },
    { categories: ["DATABASE"], statuses },
    { serviceIds: [serviceId], statuses },
    { assignee: "person 40", statuses },
    { search: "check 4711", statuses },
    { source: "bench", severities: ["P3"] },
  ];
}

/** Requests that acknowledge open incidents from everywhere in the table, not the newest only. */
export async function acknowledgementsOf({ databaseUrl }: ServerProcess, count: number): Promise<string[]> {
  const statement = `SELECT id FROM incidents WHERE status = 'TRIGGERED' ORDER BY md5(id::text) LIMIT ${count}`;
  return (await ids(databaseUrl, statement)).map((id) => graphqlBody(ACKNOWLEDGE, { id }));
}

async function ids(databaseUrl: string, statement: string): Promise<string[]> {
  await using sql = await openSql(databaseUrl);
  return (await sql.query<{ id: string }>(statement)).map(({ id }) => id);
}
