import "reflect-metadata";
import { readdirSync, readFileSync } from "node:fs";
import { getIntrospectionQuery, Kind, parse } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { costOf, LIMITS } from "../graphql/limits.js";
import { systemScope } from "../kernel/app.js";
import { ERROR_CODES } from "../kernel/app-error.js";
import { act } from "../kernel/command.js";
import { newId } from "../kernel/ids.js";
import { manualClock } from "../kernel/testing/manual-clock.js";
import { buildSchema } from "../schema.js";
import type { GraphqlSocket } from "./testing/graphql-socket.js";
import { REFUSED_DOCUMENTS } from "./testing/refused-documents.js";
import { type Answer, type TestServer, testServer } from "./testing/test-server.js";

let server: TestServer;
let socket: GraphqlSocket;
beforeAll(async () => {
  server = await testServer();
  socket = await server.socket();
});
afterAll(async () => {
  await socket.close();
  await server[Symbol.asyncDispose]();
});

type Ask = (
  query: string,
  variables?: Record<string, unknown>,
  operationName?: string,
) => Promise<Pick<Answer, "data" | "errors">>;
const TRANSPORTS: [string, Ask][] = [
  ["HTTP", (query, variables, name) => server.ask(query, variables, undefined, name)],
  ["WebSocket", (query, variables, name) => socket.ask(query, variables, name) as ReturnType<Ask>],
];

function expectForm(answer: Pick<Answer, "errors">): void {
  expect(answer.errors!.length).toBeGreaterThan(0);
  for (const error of answer.errors!) {
    expect(Object.keys(ERROR_CODES)).toContain(error.extensions.code);
    expect(error.extensions.requestId).toMatch(/^[0-9a-f-]{36}$/);
    const text = JSON.stringify(error);
    expect(text).not.toMatch(/Did you mean|\bat .*\.[jt]s|stack|SELECT |node_modules/);
  }
}

describe.each(TRANSPORTS)("%s", (_transport, ask) => {
  test.each(REFUSED_DOCUMENTS)("refuses $what", async ({ code, message = /./, ...request }) => {
    const answer = await ask(request.query, request.variables, request.operationName);
    expectForm(answer);
    expect(answer.errors![0]!.extensions.code).toBe(code);
    expect(answer.errors!.map((error) => error.message).join()).toMatch(message);
    expect(answer.data ?? null).toBeNull();
  });

  test("answers what is within the limits", async () => {
    const query = `query($n: Int!) { incidents(first: $n) { nodes { id timeline(first: 5) { events { summary } } } totalCount } }`;
    expect(await ask(query, { n: 500 })).toMatchObject({ data: { incidents: { nodes: [], totalCount: 0 } } });
  });

  test("answers what a bulk mutation has done", async () => {
    const ids = Array.from({ length: 500 }, newId);
    const fields =
      "id number title status severity service { id name } lastEvent { summary } timeline(first: 10) { events { type } }";
    const bulk = `mutation($ids: [ID!]!) { resolveIncidents(input: { ids: $ids }) { incidents { ${fields} } userErrors { code } } }`;
    expect((await ask(bulk, { ids })).errors).toBeUndefined();
  });

  test("counts what a document costs for each page size, and its default is not what null is", async () => {
    const list =
      "nodes { timeline(first: $n) { events { summary incident { timeline(first: $n) { events { summary } } } } } }";
    const query = `query($n: Int = 500) { incidents(first: $n) { ${list} } }`;
    const codeFor = async (variables: object) => (await ask(query, { ...variables })).errors?.[0]?.extensions.code;
    expect(await codeFor({ n: 1 })).toBeUndefined();
    expect(await codeFor({ n: 500 })).toBe("DOCUMENT_TOO_COMPLEX");
    expect(await codeFor({ n: null })).toBe("GRAPHQL_VALIDATION_FAILED");
    expect(await codeFor({})).toBe("DOCUMENT_TOO_COMPLEX");
    expect(await codeFor({ n: 1 })).toBeUndefined();
  });

  test("shows the schema to whoever has a token", async () => {
    expect(await ask(getIntrospectionQuery())).toMatchObject({
      data: { __schema: { queryType: { name: "Query" } } },
    });
  });

  test.each([
    ["an id that is no UUID", `{ incident(id: "1 OR 1=1") { id } }`],
    ["U+0000 in a search", '{ incidents(filter: { search: "a\\u0000b" }) { nodes { id } } }'],
    ["a sequence number too large", '{ auditLog(after: "999999999999999999999999") { seq } }'],
    ["a sequence number that is none", '{ auditLog(after: "x") { seq } }'],
    ["a page of 501", "{ incidents(first: 501) { nodes { id } } }"],
    ["an event cursor of somebody else", '{ events(after: "abc") { cursor } }'],
  ])("calls %s bad input", async (_what, query) => {
    const answer = await ask(query);
    expectForm(answer);
    expect(answer.errors![0]!.extensions.code).toBe("BAD_INPUT");
  });
});

test("every subscription of the SDK is within the limits", async () => {
  const folder = new URL("../../../client/src/operations/", import.meta.url);
  const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
  const document = parse(texts.join("\n"));
  const schema = await buildSchema();
  const names = document.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION && definition.operation === "subscription"
      ? [definition.name!.value]
      : [],
  );
  expect(names).toContain("IncidentEvents");
  for (const name of names) expect(costOf(schema, document, name, { runId: newId() }), name).toBeLessThan(LIMITS.cost);
});

test("what hangs is given up at its deadline on both transports, and a page of events is then read again", async () => {
  const clock = manualClock();
  await using own = await testServer({ clock });
  const { data } = await own.ask(
    'mutation { raiseIncident(input: { title: "locked", severity: P3 }) { incident { id } } }',
  );
  const events = await own.socket();
  const id = events.subscribe("subscription { incidentEvents { events { summary incident { title } } } }");
  await events.next((message) => message.id === id);
  const asking = await own.socket();
  const blocker = await own.app.database.pool.connect();
  await blocker.query("BEGIN; LOCK TABLE incidents IN ACCESS EXCLUSIVE MODE");
  await act(systemScope(own.app), async ({ emit }) =>
    emit({ type: "test.noted", summary: "read again", incidentId: data.raiseIncident.incident.id }),
  );
  const query = "{ incidents { totalCount } }";
  const until = (happened: () => boolean) => expect.poll(() => clock.advance(1000).then(happened)).toBe(true);
  const codes: string[] = [];
  const answers = [own.ask(query), asking.ask(query)].map(async (answer) => {
    codes.push((await answer).errors![0]!.extensions.code);
  });
  await until(() => codes.length === 2);
  await Promise.all(answers);
  expect(codes).toEqual(["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]);
  const begun = clock.monotonic();
  await until(() => clock.monotonic() - begun > LIMITS.deadlineMs);
  await blocker.query("COMMIT");
  blocker.release();
  const pages = () => events.received.filter((message) => message.id === id).map(({ payload }) => payload);
  const read = () => pages().flatMap((page) => page.data?.incidentEvents.events ?? []);
  await until(() => read().length > 0);
  expect(read()).toEqual([{ summary: "read again", incident: { title: "locked" } }]);
  expect(pages().filter((page) => page.errors)).toEqual([]);
  await Promise.all([events.close(), asking.close()]);
});

test("a VIEWER is told what a mutation needs, and nothing else", async () => {
  const token = await server.tokenFor("VIEWER");
  const answer = await server.ask(`mutation { createService(input: { name: "web" }) { service { id } } }`, {}, token);
  expectForm(answer);
  expect(answer.errors![0]!.extensions.code).toBe("FORBIDDEN");
});
