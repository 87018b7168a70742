import { getIntrospectionQuery } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERROR_CODES } from "../kernel/app-error.js";
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

test("a VIEWER is told what a mutation needs, and nothing else", async () => {
  const token = await server.tokenFor("VIEWER");
  const answer = await server.ask(`mutation { createService(input: { name: "web" }) { service { id } } }`, {}, token);
  expectForm(answer);
  expect(answer.errors![0]!.extensions.code).toBe("FORBIDDEN");
});
