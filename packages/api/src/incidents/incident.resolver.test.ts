import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, type TestServer, testServer } from "../http/testing/test-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const raise = async (title: string): Promise<string> =>
  (
    await server.ask(
      "mutation ($title: String!) { raiseIncident(input: { title: $title, severity: P2 }) { incident { id } } }",
      { title },
    )
  ).data.raiseIncident.incident.id;
const resolve = (id: string) =>
  server.ask("mutation ($id: ID!) { resolveIncident(input: { id: $id }) { userErrors { code } } }", { id });

test("a resolution is no part of acknowledging, and is refused instead of dropped", async () => {
  const { errors } = await server.ask(
    'mutation { acknowledgeIncidents(input: { ids: [], resolution: "restarted" }) { incidents { id } } }',
  );
  expect(errors![0]!.message).toContain('"resolution" is not defined by type "AcknowledgeIncidentsInput"');
});

test("a snapshot of several pages misses nothing when its events are followed after the cursor of the first", async () => {
  const SNAPSHOT = `query ($after: String) { incidentSnapshot(first: 2, after: $after) {
    cursor incidents { nodes { id status } pageInfo { hasNextPage endCursor } } } }`;
  const [oldest] = [await raise("1"), await raise("2"), await raise("3"), await raise("4")];
  const status = new Map<string, string>();
  let follow: string | undefined;
  for (let after: string | null = null, hasNext = true; hasNext; ) {
    const { data } = (await server.ask(SNAPSHOT, { after })) as Answer;
    const { cursor, incidents } = data.incidentSnapshot;
    for (const { id, status: now } of incidents.nodes) status.set(id, now);
    follow ??= cursor;
    after = incidents.pageInfo.endCursor;
    hasNext = incidents.pageInfo.hasNextPage;
    // Between the pages: one that was read changes, one that was not, and a new one comes before all of them.
    await resolve(incidents.nodes[0].id);
    if (hasNext) await resolve(oldest);
    await raise("meanwhile");
  }
  const { data } = await server.ask(
    "query ($after: Cursor) { events(after: $after) { events { incident { id status } } } }",
    { after: follow },
  );
  for (const { incident } of data.events.events) status.set(incident.id, incident.status);
  const { rows } = await server.app.database.pool.query("SELECT id, status FROM incidents");
  expect(Object.fromEntries(status)).toEqual(Object.fromEntries(rows.map((row) => [row.id, row.status])));
  expect(rows).toHaveLength(6);
});
