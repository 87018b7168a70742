import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { alert, givenAlertmanager } from "./testing/alertmanager.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const sql = async (text: string, ...values: unknown[]) => (await server.app.database.pool.query(text, values)).rows;
const FIELDS = "id name kind prefix severities defaultSeverity category service { name } createdBy revokedAt";
const mutate = async (name: string, input: object) => {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const path = name === "createIntegration" ? "path" : "";
  const { data } = await server.ask(
    `mutation ($input: ${type}!) {
      ${name}(input: $input) { ${path} integration { ${FIELDS} } userErrors { code field message } }
    }`,
    { input },
  );
  return data[name];
};
const create = (name: string, input: object = {}) =>
  mutate("createIntegration", { name, kind: "ALERTMANAGER", ...input });
const events = async (id: string) =>
  (await sql("SELECT type FROM events WHERE payload->>'integrationId' = $1 ORDER BY seq", id)).map(({ type }) => type);

test("one that is made has sensible settings, and its address is shown once", async () => {
  const { integration, path } = await create("production");
  expect(integration).toMatchObject({
    name: "production",
    kind: "ALERTMANAGER",
    defaultSeverity: "P2",
    category: "OTHER",
    service: null,
    createdBy: "first admin",
    severities: expect.objectContaining({ critical: "P1", warning: "P2", info: "P3" }),
  });
  expect(path).toMatch(/^\/integrations\/alertmanager\/poppo_hook_[\w-]{43}$/);
  const key = path.split("/").at(-1);
  expect(key.startsWith(integration.prefix)).toBe(true);
  expect(
    JSON.stringify(await sql("SELECT i::text FROM integrations i UNION ALL SELECT e::text FROM events e")),
  ).not.toContain(key);
  expect(await events(integration.id)).toEqual(["integration.created"]);
});

test("a name is unique among those in use, and free again after a revocation", async () => {
  const { integration } = await create("staging");
  expect((await create("staging")).userErrors).toEqual([
    { code: "ALREADY_EXISTS", field: "name", message: 'there is an integration "staging" already.' },
  ]);
  await mutate("revokeIntegration", { id: integration.id });
  expect((await create("staging")).userErrors).toEqual([]);
});

test("an update changes what is given and nothing else, for the next alert", async () => {
  const sender = await givenAlertmanager(server, { category: "DISK" });
  const [shop] = await sql("INSERT INTO services (name) VALUES ('shop') RETURNING id");
  const { integration } = await mutate("updateIntegration", {
    id: sender.id,
    severities: { Critical: "P0" },
    serviceId: shop.id,
  });
  expect(integration).toMatchObject({ category: "DISK", severities: { critical: "P0" }, service: { name: "shop" } });
  await sender.alerts(alert("firing", { severity: "CRITICAL" }));
  const [incident] = await sql("SELECT * FROM incidents WHERE source = $1", `alertmanager:${sender.name}`);
  expect(incident).toMatchObject({ severity: "P0", category: "DISK", service_id: shop.id });
  expect((await mutate("updateIntegration", { id: sender.id, serviceId: null })).integration.service).toBeNull();
  expect(await events(sender.id)).toEqual(["integration.created", "integration.updated", "integration.updated"]);
});

test("revoking twice keeps the first moment and tells once", async () => {
  const { integration } = await create("leaked");
  const first = await mutate("revokeIntegration", { id: integration.id });
  const second = await mutate("revokeIntegration", { id: integration.id });
  expect(second.integration.revokedAt).toBe(first.integration.revokedAt);
  expect(await events(integration.id)).toEqual(["integration.created", "integration.revoked"]);
  expect((await mutate("updateIntegration", { id: integration.id, name: "again" })).userErrors[0].code).toBe(
    "NOT_FOUND",
  );
});

test("what does not exist is not found, and what does not fit is refused", async () => {
  const nobody = "00000000-0000-4000-8000-000000000000";
  expect((await mutate("revokeIntegration", { id: nobody })).userErrors[0]).toMatchObject({ code: "NOT_FOUND" });
  expect((await create("x", { serviceId: nobody })).userErrors[0]).toMatchObject({
    code: "NOT_FOUND",
    field: "serviceId",
  });
  expect((await create("x", { severities: { critical: "P9" } })).userErrors[0]).toMatchObject({ code: "BAD_INPUT" });
  expect((await create(" ")).userErrors[0]).toMatchObject({ code: "BAD_INPUT", field: "name" });
});

test("the list is by name, filtered and paged, and shows no key", async () => {
  for (const name of ["list b", "list a", "list c"]) await create(name);
  await mutate("revokeIntegration", { id: (await create("list gone")).integration.id });
  const query = `query ($filter: IntegrationFilter, $after: String) {
    integrations(filter: $filter, first: 2, after: $after) { nodes { name } totalCount pageInfo { endCursor hasNextPage } }
  }`;
  const filter = { search: "LIST", revoked: false, kinds: ["ALERTMANAGER"] };
  const first = (await server.ask(query, { filter })).data.integrations;
  expect(first).toMatchObject({ nodes: [{ name: "list a" }, { name: "list b" }], totalCount: 3 });
  const rest = (await server.ask(query, { filter, after: first.pageInfo.endCursor })).data.integrations;
  expect(rest).toMatchObject({ nodes: [{ name: "list c" }], pageInfo: { hasNextPage: false } });
  const gone = (await server.ask(query, { filter: { search: "list", revoked: true } })).data.integrations;
  expect(gone.nodes).toEqual([{ name: "list gone" }]);
});

test("operators manage them; responders do not see them", async () => {
  const query = "{ integrations { totalCount } }";
  expect((await server.ask(query, {}, await server.tokenFor("OPERATOR"))).data.integrations.totalCount).toBeGreaterThan(
    0,
  );
  const refused = await server.ask(query, {}, await server.tokenFor("RESPONDER"));
  expect(refused.errors![0]!.extensions.code).toBe("FORBIDDEN");
});

test("one is found by id, and by name while it is in use", async () => {
  const { integration } = await create("findable");
  const find = async (args: string) => (await server.ask(`{ integration(${args}) { name } }`)).data.integration;
  expect(await find(`id: "${integration.id}"`)).toEqual({ name: "findable" });
  expect(await find('name: "findable"')).toEqual({ name: "findable" });
  await mutate("revokeIntegration", { id: integration.id });
  expect(await find('name: "findable"')).toBeNull();
  expect(await find(`id: "${integration.id}"`)).toEqual({ name: "findable" });
});
