import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { GraphqlSocket } from "./testing/graphql-socket.js";
import { PROTOCOL_BREACHES } from "./testing/protocol-breaches.js";
import { type TestServer, testServer } from "./testing/test-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const init = (authorization: unknown = `Bearer ${server.adminToken}`) => ({
  type: "connection_init",
  payload: { authorization },
});
const forever = (id: string) => ({
  type: "subscribe",
  id,
  payload: { query: "subscription { incidentEvents { cursor } }" },
});

test.each(PROTOCOL_BREACHES)("$what ends the connection with $code", async ({ code, act }) => {
  const socket = await GraphqlSocket.open(server.url);
  await act(socket, server.adminToken);
  expect((await socket.closed).code).toBe(code);
});

describe("the upgrade", () => {
  const upgrade = async (headers: Record<string, string>, path = "/graphql") => {
    const socket = new WebSocket(server.url.replace("http", "ws") + path, "graphql-transport-ws", { headers });
    socket.on("error", () => {});
    const [response] = (await Promise.race([
      once(socket, "unexpected-response").then(([, r]) => [r]),
      once(socket, "open"),
    ])) as [{ statusCode: number } | undefined];
    socket.terminate();
    return response?.statusCode ?? 101;
  };

  test.each([
    ["a page of another site", { origin: "https://evil.example" }, 403],
    ["an origin that is none", { origin: "null" }, 403],
    ["a page of this host, on another port", { origin: "http://127.0.0.1:3001" }, 101],
    ["a program", {}, 101],
  ])("%s", async (_who, headers, status) => {
    expect(await upgrade(headers as Record<string, string>)).toBe(status);
  });

  test("of another address", async () => {
    expect(await upgrade({}, "/graphqlx")).toBe(404);
    expect(await upgrade({}, "/graphql?x=1")).toBe(101);
  });
});

test("a storm is refused with 503 before anything is spent on it, and those who are here notice nothing", async () => {
  await using limited = await testServer({ connectionsPerSecond: 2 });
  const socket = await limited.socket();
  const storm = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const refused = new WebSocket(`${limited.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
      refused.on("error", () => {});
      const outcome = await Promise.race([
        once(refused, "unexpected-response").then(([, { statusCode, headers }]) => [
          statusCode,
          headers["retry-after"],
        ]),
        once(refused, "open").then(() => "open"),
      ]);
      refused.terminate();
      return outcome;
    }),
  );
  const refusals = storm.filter((outcome) => outcome !== "open");
  expect(refusals.length).toBeGreaterThan(50);
  expect(new Set(refusals.map(String))).toEqual(new Set(["503,1"]));
  expect(await socket.ask("{ viewer { name } }")).toMatchObject({ data: { viewer: { name: "first admin" } } });
  await socket.close();
});

test("a mutation over WebSocket is executed exactly once", async () => {
  const socket = await server.socket();
  const result = await socket.ask(
    'mutation { createService(input: { name: "ws" }) { service { name } userErrors { code } } }',
  );
  expect(result).toEqual({ data: { createService: { service: { name: "ws" }, userErrors: [] } } });
  await socket.close();
});

test("what an identity has under way counts together, over HTTP and all its sockets; subscriptions do not", async () => {
  await using own = await testServer();
  const token = await own.tokenFor("VIEWER");
  const sockets = await Promise.all(Array.from({ length: 3 }, () => own.socket(token)));
  const other = await own.socket();
  const { pool } = own.app.database;
  const blocker = await pool.connect();
  await blocker.query("BEGIN; LOCK TABLE services IN ACCESS EXCLUSIVE MODE");
  const query = '{ service(name: "x") { id } }';
  const overHttp = own.ask(query, {}, token);
  const waiting = `SELECT FROM pg_locks WHERE relation = 'services'::regclass AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  await expect.poll(async () => (await blocker.query(waiting)).rowCount).toBe(1);
  for (let i = 0; i < 500; i++) sockets[i % 3]!.subscribe(query);
  const told = (type: string) => sockets.flatMap(({ received }) => received.filter((message) => message.type === type));
  await expect.poll(() => told("error").length).toBe(1);
  expect(told("error")[0]!.payload[0].extensions).toMatchObject({ code: "TOO_MANY_REQUESTS", retryAfterMs: 1000 });
  const id = sockets[0]!.subscribe("subscription { incidentEvents { cursor } }");
  expect((await sockets[0]!.next((message) => message.id === id)).type).toBe("next");
  expect(await other.ask("{ __typename }")).toEqual({ data: { __typename: "Query" } });
  await blocker.query("COMMIT");
  blocker.release();
  expect((await overHttp).status).toBe(200);
  await expect.poll(() => told("complete").length).toBe(499);
  expect(await sockets[1]!.ask(query)).toEqual({ data: { service: null } });
  await Promise.all([...sockets, other].map((socket) => socket.close()));
});

test("an id that is used again at once leaves no subscription behind that nothing could stop", async () => {
  const own = await server.socket();
  own.sendTogether(forever("again"), { type: "complete", id: "again" }, forever("again"));
  await own.ask("{ viewer { name } }");
  own.send({ type: "complete", id: "again" });
  await expect.poll(() => server.fanOut.subscriberCount).toBe(0);
  await own.close();
});

test("a connection that is closed while its token is looked up is not kept", async () => {
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const socket = await GraphqlSocket.open(server.url);
      socket.send(init());
      socket.socket.terminate();
      await socket.closed;
    }),
  );
  await expect.poll(() => server.connections.size).toBe(0);
});

test("who asks and never reads is ended before it fills the memory", async () => {
  const raise = `mutation { raiseIncident(input: { title: "big", severity: P3, description: "${"x".repeat(19_000)}" }) { incident { id } } }`;
  for (let i = 0; i < 20; i++) await server.ask(raise);
  const socket = await server.socket();
  socket.socket.pause();
  const ask = { query: "{ incidents(first: 20) { nodes { description } } }" };
  for (let i = 0; i < 500; i++) socket.send({ type: "subscribe", id: String(i), payload: ask });
  await expect.poll(() => server.connections.size, { timeout: 20_000 }).toBe(0);
  socket.socket.terminate();
});

test("a stopping server closes with 1001, so that clients come back", async () => {
  const stopping = await testServer();
  const socket = await stopping.socket();
  socket.send(forever("1"));
  await socket.next((message) => message.type === "next");
  await stopping[Symbol.asyncDispose]();
  expect((await socket.closed).code).toBe(1001);
});
