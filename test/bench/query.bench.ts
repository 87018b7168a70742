import { isDeepStrictEqual } from "node:util";
import type { ServerProcess } from "../harness/server-process.js";
import type { HttpOutput } from "./http.load.js";
import { asAdmin, graphqlBody, httpLoad } from "./http-load.js";
import { startLoad } from "./load-process.js";
import { measured, peerOf, startPeer } from "./peer.js";
import { type Row, round } from "./row.js";

const CONNECTIONS = 8;

const OURS = graphqlBody(
  `query Dashboard($filter: IncidentFilter, $first: Int!) { incidents(filter: $filter, first: $first) {
    nodes { id number title status severity category assignee lastSeenAt service { name owner } lastEvent { type at actor summary } }
    pageInfo { hasNextPage } } }`,
  { filter: { statuses: ["TRIGGERED"] }, first: 50 },
);
const MERCURIUS = graphqlBody(
  `query Dashboard($filter: IncidentFilter, $first: Int!) { incidents(filter: $filter, first: $first) {
    nodes { id number title status severity category assignee lastSeenAt service { name owner } lastEvent { type at actor summary } }
    pageInfo { hasNextPage } } }`,
  { filter: { status: "TRIGGERED" }, first: 50 },
);
const POSTGRAPHILE = graphqlBody(
  `query Dashboard($condition: IncidentCondition, $first: Int!) { allIncidents(condition: $condition, first: $first, orderBy: NUMBER_DESC) {
    nodes { id number title status severity category assignee lastSeenAt serviceByServiceId { name owner }
      eventsByIncidentId(first: 1, orderBy: SEQ_DESC) { nodes { type at actor summary } } }
    pageInfo { hasNextPage } } }`,
  { condition: { status: "TRIGGERED" }, first: 50 },
);

/** The list of open incidents as a dashboard shows it, in a filled store: 50 rows with their service and their last timeline entry. */
export async function query(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const seconds = quick ? 4 : 10;
  const { databaseUrl } = server;
  const ask = (url: string, body: string, headers = {}) =>
    httpLoad({ url, headers, bodies: [body], connections: CONNECTIONS, seconds, expected: '"number"' });

  const ours = await ask(`${server.url}/graphql`, OURS, asAdmin);
  const shown = rowsOf(ours.sample);
  const same = (answer: HttpOutput) => {
    if (!isDeepStrictEqual(rowsOf(answer.sample), shown)) throw new Error("it answered with other rows");
    return answer;
  };
  await using bare = startLoad<object, string>(new URL("./query-bare.load.js", import.meta.url), { databaseUrl });
  const limit = same(await ask(await bare.answer, "{}"));
  const against = (name: string, body: string) =>
    measured(async () => {
      await using peer = startPeer<object, string>(name, { databaseUrl });
      return same(await ask(await peer.answer, body));
    });
  const mercurius = await against("mercurius", MERCURIUS);
  const postgraphile = await against("postgraphile", POSTGRAPHILE);
  const peers = (figure: (output: HttpOutput) => number) => [
    peerOf("mercurius with JIT", mercurius, figure),
    peerOf("PostGraphile", postgraphile, figure),
  ];
  const note = `50 of 100,000 incidents with service and last timeline entry, ${CONNECTIONS} connections; limit: one hand-written SQL statement over node:http`;
  return [
    {
      id: "query",
      value: round(ours.perSecond, 0),
      unit: "requests/s",
      limit: round(limit.perSecond, 0),
      peers: peers(({ perSecond }) => round(perSecond, 0)),
      note,
    },
    {
      id: "query.p99",
      value: round(ours.p99),
      unit: "ms",
      limit: round(limit.p99),
      peers: peers(({ p99 }) => round(p99)),
      note: "of the same run",
    },
  ];
}

// biome-ignore lint/suspicious/noExplicitAny: four servers call the same things differently
type Json = any;

/** What is the same in every answer, whatever the server calls it. */
function rowsOf(answer: string): unknown[] {
  const { data } = JSON.parse(answer) as Json;
  const list = data.incidents ?? data.allIncidents;
  return list.nodes.map((node: Json) => {
    const event = node.lastEvent ?? node.eventsByIncidentId.nodes[0];
    const { name, owner } = node.service ?? node.serviceByServiceId;
    const { number, title, status, severity, category, assignee } = node;
    const times = [node.lastSeenAt, event.at].map((at) => new Date(at).getTime());
    const { id } = node;
    return [
      id,
      number,
      title,
      status,
      severity,
      category,
      assignee,
      name,
      owner,
      event.type,
      event.actor,
      event.summary,
      ...times,
    ];
  });
}
