import { getIntrospectionQuery } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERROR_CODES } from "../kernel/app-error.js";
import type { GraphqlSocket } from "./testing/graphql-socket.js";
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

type Ask = (query: string, variables?: Record<string, unknown>) => Promise<Pick<Answer, "data" | "errors">>;
const TRANSPORTS: [string, Ask][] = [
  ["HTTP", (query, variables) => server.ask(query, variables)],
  ["WebSocket", (query, variables) => socket.ask(query, variables) as ReturnType<Ask>],
];

const times = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(" ");
const dependsOn = (depth: number): string => (depth === 0 ? "id" : `dependsOn { ${dependsOn(depth - 1)} }`);
const nested = (first: string) =>
  `incidents(first: ${first}) { nodes { timeline(first: ${first}) { events { summary incident { timeline(first: ${first}) { events { summary } } } } } } }`;

const REFUSED: [string, string, Record<string, unknown>, keyof typeof ERROR_CODES, RegExp?][] = [
  ["no GraphQL", "{ viewer ", {}, "GRAPHQL_PARSE_FAILED"],
  ["an unknown field", "{ viewr { name } }", {}, "GRAPHQL_VALIDATION_FAILED"],
  [
    "a variable of a wrong type",
    "query($n: Int!) { incidents(first: $n) { totalCount } }",
    { n: "x" },
    "GRAPHQL_VALIDATION_FAILED",
  ],
  ["an operation name that is not there", "query A { viewer { name } } query B { viewer { name } }", {}, "BAD_REQUEST"],
  ["20,001 characters", `{ viewer { name } } #${"x".repeat(20_000)}`, {}, "DOCUMENT_TOO_LARGE"],
  ["2,001 tokens", `{ viewer { ${times(2001, () => "name")} } }`, {}, "DOCUMENT_TOO_LARGE"],
  [
    "depth",
    `{ services(first: 1) { nodes { ${dependsOn(12)} } } }`,
    {},
    "DOCUMENT_TOO_COMPLEX",
    /depth limit of 12 exceeded/,
  ],
  [
    "aliases",
    `{ viewer { ${times(16, (i) => `a${i}: name`)} } }`,
    {},
    "DOCUMENT_TOO_COMPLEX",
    /Aliases limit of 15 exceeded/,
  ],
  [
    "directives",
    `{ viewer { ${times(51, () => "name @include(if: true)")} } }`,
    {},
    "DOCUMENT_TOO_COMPLEX",
    /Directives limit of 50 exceeded/,
  ],
  [
    "root fields",
    `{ ${times(11, (i) => `a${i}: __typename`)} }`,
    {},
    "DOCUMENT_TOO_COMPLEX",
    /11 root fields; the limit is 10/,
  ],
  [
    "root fields in fragments",
    `{ ...A ...A } fragment A on Query { ${times(6, (i) => `a${i}: __typename`)} }`,
    {},
    "DOCUMENT_TOO_COMPLEX",
    /12 root fields/,
  ],
  ["cost by literals", `{ ${nested("100")} }`, {}, "DOCUMENT_TOO_COMPLEX", /costs/],
  ["cost by variables", `query($n: Int) { ${nested("$n")} }`, { n: 500 }, "DOCUMENT_TOO_COMPLEX", /costs/],
  ["cost by a variable's default", `query($n: Int = 500) { ${nested("$n")} }`, {}, "DOCUMENT_TOO_COMPLEX", /costs/],
  [
    "lists in lists that have no page size",
    `{ services(first: 500) { nodes { ${dependsOn(3)} } } }`,
    {},
    "DOCUMENT_TOO_COMPLEX",
    /costs/,
  ],
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
  test.each(REFUSED)("refuses %s", async (_what, query, variables, code, message = /./) => {
    const answer = await ask(query, variables);
    expectForm(answer);
    expect(answer.errors![0]!.extensions.code).toBe(code);
    expect(answer.errors!.map((error) => error.message).join()).toMatch(message);
    expect(answer.data ?? null).toBeNull();
  });

  test("refuses fragments that double with each other before they cost time", async () => {
    const chain = times(60, (i) => `fragment F${i} on Service { ...F${i + 1} ...F${i + 1} }`);
    const query = `{ services(first: 1) { nodes { ...F0 } } } ${chain} fragment F60 on Service { id }`;
    const answer = await ask(query);
    expectForm(answer);
    expect(answer.errors![0]!.extensions.code).toBe("DOCUMENT_TOO_COMPLEX");
  });

  test("refuses fragments that double at the root", async () => {
    const chain = times(60, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`);
    const answer = await ask(`{ ...F0 } ${chain} fragment F60 on Query { __typename }`);
    expectForm(answer);
    expect(answer.errors![0]!.extensions.code).toBe("DOCUMENT_TOO_COMPLEX");
  });

  test("answers what is within the limits", async () => {
    const query = `query($n: Int!) { incidents(first: $n) { nodes { id timeline(first: 5) { events { summary } } } totalCount } }`;
    expect(await ask(query, { n: 500 })).toMatchObject({ data: { incidents: { nodes: [], totalCount: 0 } } });
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
