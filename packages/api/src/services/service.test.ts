import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, type TestServer, testServer } from "../http/testing/test-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const mutate = async (name: "createService" | "updateService", input: object) => {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const { data } = await server.ask(
    `mutation($input: ${type}!) { ${name}(input: $input) { service { id name owner labels dependsOn { name } dependents { name } } userErrors { code field message } } }`,
    { input },
  );
  return data[name];
};
const remove = async (id: string) =>
  (
    await server.ask("mutation($id: ID!) { deleteService(input: { id: $id }) { deletedId userErrors { code } } }", {
      id,
    })
  ).data.deleteService;

test("a service with what it needs, seen from both ends", async () => {
  const db = (await mutate("createService", { name: "db" })).service;
  const cache = (await mutate("createService", { name: "cache", labels: { tier: "1" } })).service;
  const { service } = await mutate("createService", {
    name: "shop",
    owner: "web team",
    dependsOnIds: [db.id, cache.id, db.id],
  });
  expect(service).toMatchObject({ owner: "web team", dependsOn: [{ name: "cache" }, { name: "db" }], dependents: [] });
  const changed = await mutate("updateService", { id: service.id, dependsOnIds: [cache.id] });
  expect(changed.service).toMatchObject({ name: "shop", owner: "web team", dependsOn: [{ name: "cache" }] });
  const { data } = await server.ask('{ service(name: "cache") { dependents { name } labels } }');
  expect(data.service).toEqual({ dependents: [{ name: "shop" }], labels: { tier: "1" } });
});

test("of five that take one name at once one gets it", async () => {
  const made = await Promise.all(Array.from({ length: 5 }, () => mutate("createService", { name: "one of a kind" })));
  const refused = made.filter(({ service }) => !service);
  expect(refused).toHaveLength(4);
  expect(refused[0].userErrors).toEqual([
    { code: "ALREADY_EXISTS", field: "name", message: 'there is a service "one of a kind" already.' },
  ]);
});

test("a circle of needs is refused with its way round, also when two halves of it come at once", async () => {
  const [a, b, c] = await Promise.all(
    ["ring a", "ring b", "ring c"].map(async (name) => (await mutate("createService", { name })).service.id),
  );
  const needs = async (id: string, ...dependsOnIds: string[]) =>
    (await mutate("updateService", { id, dependsOnIds })).userErrors;
  expect(await needs(a, b)).toEqual([]);
  expect(await needs(b, c)).toEqual([]);
  expect(await needs(c, a)).toEqual([
    {
      code: "BAD_INPUT",
      field: "dependsOnIds",
      message: "that would be a circle: ring c → ring a → ring b → ring c.",
    },
  ]);
  await needs(a);
  await needs(b);
  const refused = (await Promise.all([needs(a, b), needs(b, a)])).filter((errors) => errors.length > 0);
  expect(refused).toHaveLength(1);
});

test("a deep catalogue with millions of ways through it is looked at need by need", async () => {
  const { pool } = server.app.database;
  await pool.query(
    "INSERT INTO services (name) SELECT 'layer ' || l || '.' || i FROM generate_series(1, 12) l, generate_series(1, 4) i",
  );
  await pool.query(
    `INSERT INTO service_dependencies (service_id, depends_on_id)
     SELECT a.id, b.id FROM services a JOIN services b ON a.name LIKE 'layer %' AND b.name LIKE 'layer %'
       AND split_part(b.name, '.', 1) = 'layer ' || split_part(substr(a.name, 7), '.', 1)::int + 1`,
  );
  const { rows } = await pool.query("SELECT name, id FROM services WHERE name IN ('layer 1.1', 'layer 12.1')");
  const [bottom, top] = ["layer 12.1", "layer 1.1"].map((name) => rows.find((row) => row.name === name).id);
  const above = await mutate("createService", { name: "above all", dependsOnIds: [top] });
  expect(above.userErrors).toEqual([]);
  const { userErrors } = await mutate("updateService", { id: bottom, dependsOnIds: [above.service.id] });
  expect(userErrors).toMatchObject([{ code: "BAD_INPUT", field: "dependsOnIds" }]);
  expect(userErrors[0].message).toMatch(
    /^that would be a circle: layer 12\.1 → above all → layer 1\.1 → (layer \d+\.\d → ){10}layer 12\.1\.$/,
  );
});

test("what does not fit is refused by its field", async () => {
  const { service } = await mutate("createService", { name: "self" });
  const nowhere = "00000000-0000-4000-8000-000000000000";
  const codes = async (input: object) =>
    (await mutate("updateService", { id: service.id, ...input })).userErrors.map(
      (e: { code: string; field: string }) => [e.code, e.field],
    );
  expect(await codes({ dependsOnIds: [service.id] })).toEqual([["BAD_INPUT", "dependsOnIds"]]);
  expect(await codes({ dependsOnIds: [nowhere] })).toEqual([["NOT_FOUND", "dependsOnIds"]]);
  expect(await codes({ id: nowhere })).toEqual([["NOT_FOUND", "id"]]);
  expect(await codes({ name: " " })).toEqual([["BAD_INPUT", "name"]]);
  expect(await codes({ labels: { a: 1 } })).toEqual([["BAD_INPUT", "labels.a"]]);
});

test("an id is known in upper case too, and one that is none fails nobody else's", async () => {
  const { id } = (await mutate("createService", { name: "upper" })).service;
  const upper = id.toUpperCase();
  const { service, userErrors } = await mutate("createService", { name: "needs upper", dependsOnIds: [upper] });
  expect([userErrors, service.dependsOn]).toEqual([[], [{ name: "upper" }]]);
  expect((await mutate("updateService", { id: upper, owner: "ana" })).service.owner).toBe("ana");
  expect((await mutate("updateService", { id: upper, dependsOnIds: [id] })).userErrors).toMatchObject([
    { code: "BAD_INPUT", message: "a service cannot depend on itself." },
  ]);
  const query = 'query($id: ID!) { a: service(id: "x") { name } b: service(id: $id) { name } c: node(id: $id) { id } }';
  const { data, errors } = await server.ask(query, { id: upper });
  expect(data).toEqual({ a: null, b: { name: "upper" }, c: { id } });
  expect(errors).toMatchObject([{ path: ["a"], message: 'id: "x" is no id; ids are UUIDs.' }]);
});

test("a service with incidents stays; one without goes, and those that needed it need it no more", async () => {
  const { service: used } = await mutate("createService", { name: "used" });
  await server.ask(
    `mutation { raiseIncident(input: { title: "x", severity: P3, serviceId: "${used.id}" }) { incident { id } } }`,
  );
  expect(await remove(used.id)).toEqual({ deletedId: null, userErrors: [{ code: "IN_USE" }] });
  const { service: base } = await mutate("createService", { name: "base" });
  const { service: top } = await mutate("createService", { name: "top", dependsOnIds: [base.id] });
  expect(await remove(base.id)).toEqual({ deletedId: base.id, userErrors: [] });
  const { data } = await server.ask("query($id: ID!) { service(id: $id) { dependsOn { name } } }", { id: top.id });
  expect(data.service.dependsOn).toEqual([]);
});

test("the catalogue is read page by page, by name, and searched literally", async () => {
  for (const name of ["list a", "list b", "list_c", "list%d"]) await mutate("createService", { name });
  const names: string[] = [];
  for (let after: string | null = null; ; ) {
    const query =
      'query($after: String) { services(search: "list", first: 3, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } totalCount } }';
    const { data }: Answer = await server.ask(query, { after });
    const { services } = data;
    names.push(...services.nodes.map((node: { name: string }) => node.name));
    expect(services.totalCount).toBe(4);
    after = services.pageInfo.endCursor;
    if (!services.pageInfo.hasNextPage) break;
  }
  expect([...names].sort()).toEqual(["list a", "list b", "list%d", "list_c"].sort());
  const { data } = await server.ask('{ services(search: "t_") { nodes { name } } }');
  expect(data.services.nodes).toEqual([{ name: "list_c" }]);
});
