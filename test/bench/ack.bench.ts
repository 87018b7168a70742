import type { ServerProcess } from "../harness/server-process.js";
import { openSql } from "../harness/sql.js";
import { asAdmin, graphqlBody, httpLoad } from "./http-load.js";
import { type Row, round } from "./row.js";

const CONNECTIONS = 4;

const ACKNOWLEDGE =
  "mutation ($id: ID!) { acknowledgeIncident(input: { id: $id }) { incident { id number status acknowledgedAt } userErrors { code } } }";
export const LIST = `query ($filter: IncidentFilter) { incidents(filter: $filter, first: 50) {
  nodes { id number title status severity category assignee lastSeenAt service { name } } pageInfo { hasNextPage endCursor } } }`;

/** What responders wait for in a store filled with open incidents. */
export async function ack(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const load = { headers: asAdmin, url: `${server.url}/graphql`, connections: CONNECTIONS, seconds: quick ? 4 : 10 };
  const filters = await listFilters(server);
  const bodies = filters.map((filter) => graphqlBody(LIST, { filter }));
  const list = await httpLoad({ ...load, bodies, expected: '"number"' });
  const acknowledgements = await acknowledgementsOf(server, 50_000);
  const ack = await httpLoad({ ...load, bodies: acknowledgements, expected: '"ACKNOWLEDGED"' });
  return [
    {
      id: "list",
      value: round(list.p99, 2),
      unit: "ms",
      note: `p99 of a first page of 50 by ${filters.length} filters in turn, ${CONNECTIONS} at once, ${Math.round(list.perSecond)}/s, p50 ${round(list.p50, 2)} ms; budget 10 ms`,
    },
    {
      id: "ack",
      value: round(ack.p99, 2),
      unit: "ms",
      note: `p99 of acknowledgeIncident with 100,000 open incidents, ${CONNECTIONS} responders at once, ${Math.round(ack.perSecond)}/s, p50 ${round(ack.p50, 2)} ms; budget 10 ms`,
    },
  ];
}

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
