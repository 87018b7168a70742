import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, type TestServer, testServer } from "../http/testing/test-server.js";

let server: TestServer;
const ids: Record<string, string> = {};
beforeAll(async () => {
  server = await testServer();
  const { data } = await server.ask(
    'mutation { createService(input: { name: "shop", owner: "ana" }) { service { id } } }',
  );
  const serviceId = data.createService.service.id;
  ids.shop = await raise({ title: "shop is slow", severity: "P1", serviceId, evidence: { latencyMs: 900 } });
  ids.host = await raise({ title: "disk is full", severity: "P2" });
  await note(ids.shop, "first");
  await note(ids.shop, "last");
  // As a restored or an imported one may be: nothing is known of its past.
  await server.app.database.pool.query(
    "INSERT INTO incidents (title, severity, peak_severity, source) VALUES ('silent', 'P3', 'P3', 'import')",
  );
});
afterAll(() => server[Symbol.asyncDispose]());

const raise = async (input: object): Promise<string> =>
  (
    await server.ask(
      "mutation ($input: RaiseIncidentInput!) { raiseIncident(input: $input) { incident { id } userErrors { message } } }",
      { input },
    )
  ).data.raiseIncident.incident.id;
const note = (id: string, text: string) =>
  server.ask(
    "mutation ($id: ID!, $text: String!) { addNote(input: { id: $id, text: $text }) { userErrors { code } } }",
    {
      id,
      text,
    },
  );

const FIELDS = `{
  __typename id number title severity evidence createdAt
  service { name owner labels dependsOn { name } }
  lastEvent { cursor type summary at incident { title } }
}`;

test("a list brings with each incident what asking for it alone would", async () => {
  const { data } = await server.ask(`{ incidents(first: 10) { nodes ${FIELDS} edges { node ${FIELDS} } } }`);
  const { nodes, edges } = data.incidents;
  expect(edges.map(({ node }: { node: object }) => node)).toEqual(nodes);
  expect(nodes.map(({ title }: { title: string }) => title)).toEqual(["silent", "disk is full", "shop is slow"]);
  for (const node of nodes) {
    const alone = await server.ask(`query ($id: ID!) { incident(id: $id) ${FIELDS} }`, { id: node.id });
    expect(node).toEqual(alone.data.incident);
  }
});

test("the newest entry of the timeline goes along, and who has none has null", async () => {
  const { data } = await server.ask("{ incidents { nodes { title service { name } lastEvent { type } } } }");
  expect(data.incidents.nodes).toEqual([
    { title: "silent", service: null, lastEvent: null },
    { title: "disk is full", service: null, lastEvent: { type: "incident.raised" } },
    { title: "shop is slow", service: { name: "shop" }, lastEvent: { type: "incident.note_added" } },
  ]);
});

test("fragments and aliases of one list are read together", async () => {
  const { data } = await server.ask(`
    { incidents(first: 1, filter: { severities: [P1] }) { nodes { heading: title ...More ... on Node { key: id } } } }
    fragment More on Incident { owner: service { who: owner } entry: lastEvent { summary } name: service { name } }`);
  expect(data.incidents.nodes).toEqual([
    {
      heading: "shop is slow",
      key: ids.shop,
      owner: { who: "ana" },
      entry: { summary: "last" },
      name: { name: "shop" },
    },
  ]);
});

test("a field that another room adds has the whole incident to work with", async () => {
  const { data } = await server.ask(
    "{ incidents(first: 2) { nodes { title remediationRuns(first: 1) { totalCount } } } }",
  );
  expect(data.incidents.nodes[0]).toEqual({ title: "silent", remediationRuns: { totalCount: 0 } });
});

test("a snapshot's list brings the same, and its cursors page on in every order", async () => {
  const { data } = await server.ask(
    "{ incidentSnapshot(first: 1) { incidents { nodes { title lastEvent { summary } } } } }",
  );
  expect(data.incidentSnapshot.incidents.nodes).toEqual([{ title: "silent", lastEvent: null }]);
  for (const orderBy of ["NEWEST", "OLDEST", "SEVERITY", "LAST_SEEN"]) {
    const page =
      "query ($orderBy: IncidentOrder!, $after: String) { incidents(orderBy: $orderBy, first: 1, after: $after) { nodes { title } pageInfo { endCursor } } }";
    const titles = new Set<string>();
    let after: string | null = null;
    for (let i = 0; i < 3; i++) {
      const { data }: Answer = await server.ask(page, { orderBy, after });
      titles.add(data.incidents.nodes[0].title);
      after = data.incidents.pageInfo.endCursor;
    }
    expect(titles.size).toBe(3);
  }
});
