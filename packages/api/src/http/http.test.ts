import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERROR_CODES } from "../kernel/app-error.js";
import { scrape } from "./testing/scrape.js";
import { type TestServer, testServer } from "./testing/test-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const send = (init: RequestInit, path = "/graphql") =>
  fetch(server.url + path, { ...init, headers: { authorization: `Bearer ${server.adminToken}`, ...init.headers } });
const json = { "content-type": "application/json" };
const post = (body: unknown, headers: Record<string, string> = json) =>
  send({ method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) });

async function expectRefusal(response: Response, status: number, code: string): Promise<void> {
  const body = (await response.json()) as { errors: { message: string; extensions: Record<string, unknown> }[] };
  expect([response.status, body.errors[0]!.extensions.code]).toEqual([status, code]);
  expect(Object.keys(ERROR_CODES)).toContain(code);
  expect(body.errors[0]!.extensions.requestId).toMatch(/^[0-9a-f-]{36}$/);
  expect(JSON.stringify(body)).not.toMatch(/stack|node_modules/);
}

describe("what is no GraphQL request is refused in the same form as everything else", () => {
  test.each<[string, () => Promise<Response>, number]>([
    ["a batch", () => post([{ query: "{ __typename }" }, { query: "{ __typename }" }]), 400],
    ["an empty body", () => post(""), 400],
    ["an empty object", () => post({}), 400],
    ["half a JSON text", () => post('{"query": "{ __typename'), 400],
    ["a list", () => post("[]"), 400],
    ["a query that is no text", () => post({ query: { kind: "Document" } }), 400],
    ["variables that are no object", () => post({ query: "{ __typename }", variables: "[1]" }), 400],
    ["a persisted query", () => post({ extensions: { persistedQuery: { version: 1, sha256Hash: "x" } } }), 200],
    ["an unknown encoding", () => post("x", { ...json, "content-encoding": "rot13" }), 415],
    ["a body over 1 MiB", () => post({ query: "{ __typename }", variables: { x: "x".repeat(1024 * 1024) } }), 413],
    ["another method", () => send({ method: "PUT", headers: json, body: "{}" }), 405],
  ])("%s", async (_what, request, status) => {
    await expectRefusal(await request(), status, "BAD_REQUEST");
  });

  test("a page that the browser was lured to: simple POST, form, and GET without a preflight", async () => {
    const query = 'mutation { createService(input: { name: "csrf" }) { service { id } } }';
    const form = "application/x-www-form-urlencoded";
    await expectRefusal(await post({ query }, { "content-type": "text/plain" }), 400, "BAD_REQUEST");
    await expectRefusal(await post(`query=${encodeURIComponent(query)}`, { "content-type": form }), 400, "BAD_REQUEST");
    const address = `/graphql?query=${encodeURIComponent(query)}`;
    await expectRefusal(await send({}, address), 400, "BAD_REQUEST");
    await expectRefusal(await send({ headers: json }, address), 405, "BAD_REQUEST");
    expect((await server.ask('{ service(name: "csrf") { id } }')).data).toEqual({ service: null });
  });

  test("an address that is not there", async () => {
    await expectRefusal(await send({}, "/nowhere"), 404, "NOT_FOUND");
  });
});

describe("identity", () => {
  test.each([
    ["unknown", "Bearer poppo_api_unknown"],
    ["of another scheme", "Basic YTpi"],
    ["empty", "Bearer "],
  ])("a token that is %s is refused with 401", async (_what, authorization) => {
    const response = await fetch(`${server.url}/graphql`, {
      method: "POST",
      headers: { ...json, authorization },
      body: JSON.stringify({ query: "{ __typename }" }),
    });
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    await expectRefusal(response, 401, "UNAUTHENTICATED");
  });

  test("without a token the schema is not shown by introspection and nothing is read", async () => {
    const introspection = await server.ask("{ __schema { types { name } } }", {}, null);
    expect(introspection).toMatchObject({ status: 401, errors: [{ extensions: { code: "INTROSPECTION_REFUSED" } }] });
    const byType = await server.ask('{ __type(name: "Query") { name } }', {}, null);
    expect(byType.errors![0]!.extensions.code).toBe("INTROSPECTION_REFUSED");
    const read = await server.ask("{ incidents { totalCount } }", {}, null);
    expect(read.errors![0]!.extensions.code).toBe("UNAUTHENTICATED");
    expect(await (await fetch(`${server.url}/schema.graphql`)).text()).toContain("type Query");
  });
});

test("who leaves while the token is looked up is not counted for ever", async () => {
  await using own = await testServer();
  const token = await own.tokenFor("VIEWER");
  const locker = await own.app.database.pool.connect();
  await locker.query("BEGIN; LOCK TABLE api_tokens IN ACCESS EXCLUSIVE MODE");
  const { hostname, port } = new URL(own.url);
  const body = JSON.stringify({ query: "{ __typename }" });
  const head = `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  for (let i = 0; i < 500; i++) {
    const socket = connect(Number(port), hostname);
    socket.write(`${head}\r\nAuthorization: Bearer ${token}\r\n\r\n${body}`, () => socket.destroy());
  }
  const left = { route: "/graphql", method: "POST", status: "aborted" };
  await expect.poll(async () => (await scrape(own.url)).value("poppo_http_requests_total", left)).toBe(500);
  await locker.query("COMMIT");
  locker.release();
  expect(await own.ask("{ __typename }", {}, token)).toMatchObject({ data: { __typename: "Query" } });
});

test("a mutation is executed exactly once", async () => {
  const query = `mutation { raiseIncident(input: { title: "once", severity: P3 }) { incident { number service { id } lastEvent { summary } } userErrors { code } } }`;
  for (let i = 1; i <= 3; i++) {
    const { data } = await server.ask(query);
    expect(data.raiseIncident.userErrors).toEqual([]);
    const { rows } = await server.app.database.pool.query("SELECT FROM incidents");
    const events = await server.app.database.pool.query("SELECT FROM events WHERE type = 'incident.raised'");
    expect([rows.length, events.rowCount]).toEqual([i, i]);
  }
});

test("an expected refusal is a userError with its field, beside the clientMutationId", async () => {
  const query = `mutation($input: RaiseIncidentInput!) { raiseIncident(input: $input) { clientMutationId incident { id } userErrors { code field message } } }`;
  const input = { clientMutationId: "m1", title: " ", severity: "P1", dedupKey: "" };
  const { data } = await server.ask(query, { input });
  expect(data.raiseIncident).toMatchObject({ clientMutationId: "m1", incident: null });
  expect(data.raiseIncident.userErrors.map((e: { code: string; field: string }) => [e.code, e.field])).toEqual([
    ["BAD_INPUT", "title"],
    ["BAD_INPUT", "dedupKey"],
  ]);
});

test("a request under way is answered when the server stops", async () => {
  await using stopping = await testServer();
  const { pool } = stopping.app.database;
  const blocker = await pool.connect();
  await blocker.query("BEGIN; LOCK TABLE services");
  const answer = stopping.ask('mutation { createService(input: { name: "late" }) { service { name } } }');
  await expect
    .poll(async () => (await pool.query("SELECT FROM pg_locks WHERE NOT granted")).rowCount, { timeout: 5000 })
    .toBeGreaterThan(0);
  const stopped = stopping.stop();
  await blocker.query("COMMIT");
  blocker.release();
  expect((await answer).data).toEqual({ createService: { service: { name: "late" } } });
  await stopped;
});

test.each(["//", "/\\", "http://", "*", "/graphql/../x"])("an upgrade to %s is answered, not fatal", async (path) => {
  const { port } = new URL(server.url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  const [data] = await once(socket, "data");
  expect(String(data)).toMatch(/^HTTP\/1.1 4\d\d /);
  socket.destroy();
  expect((await send({}, "/health")).status).toBe(200);
});

test("an idle connection is kept for longer than balancers keep theirs", async () => {
  const response = await post({ query: "{ __typename }" });
  expect(response.headers.get("keep-alive")).toBe("timeout=75");
});
