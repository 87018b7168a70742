import { once } from "node:events";
import { connect } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { REFUSED_DOCUMENTS } from "../../packages/api/src/http/testing/refused-documents.js";
import { type Area, type Check, post, type Subject, verdictOf, withSocket } from "./check.js";

const NAME = "{ viewer { name } }";
const JSON_TYPE = { "content-type": "application/json" };
const INTROSPECTION = "{ __schema { types { name } } }";
const MUTATION = 'mutation { createService(input: { name: "csrf" }) { service { id } } }';

/** Documents, sent over both transports: neither may be the weaker one. */
const documents: Check[] = REFUSED_DOCUMENTS.map(({ what, code, query, variables, operationName }) => ({
  what: `${what}, on both transports`,
  expected: code,
  async run(subject) {
    const overHttp = await post(subject, { query, variables, operationName });
    const answer = await withSocket(subject, (socket) => socket.ask(query, variables, operationName));
    const overSocket = answer.errors?.[0].extensions.code;
    return overHttp.endsWith(` ${overSocket}`) ? overSocket : `${overHttp} over HTTP, ${overSocket} over WebSocket`;
  },
}));

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const config = (value: string) =>
  `{"query":"mutation ($c: JSON!) { createProbe(input: { name: \\"deep\\", kind: \\"system.load\\", interval: \\"10s\\", config: $c }) { userErrors { code } } }","variables":{"c":${value}}}`;

const bodies: [string, string, (subject: Subject) => Promise<string>][] = [
  ["a batch of operations", "400 BAD_REQUEST", (on) => post(on, [{ query: NAME }, { query: NAME }])],
  ["variables of 2 MiB", "413 BAD_REQUEST", (on) => post(on, { query: NAME, variables: { x: "x".repeat(2 ** 21) } })],
  [
    "a variable that nobody declared, 250,000 lists deep: ignored",
    "200",
    (on) => post(on, `{"query":"${NAME}","variables":{"x":${nested(250_000)}}}`),
  ],
  [
    "a value of 250,000 lists in a JSON field",
    "userErrors BAD_INPUT",
    (on) => userError(on, config(`{"a":${nested(250_000)}}`)),
  ],
  [
    "2 MiB in 2 KiB of gzip",
    "413 BAD_REQUEST",
    (on) => post(on, gzipSync(Buffer.alloc(2 ** 21, " ")), { "content-encoding": "gzip" }),
  ],
  ["64 MiB in 106 bytes of brotli", "413 BAD_REQUEST", (on) => post(on, BOMB, { "content-encoding": "br" })],
  ["an encoding that nobody knows", "415 BAD_REQUEST", (on) => post(on, "x", { "content-encoding": "rot13" })],
  ["a JSON text that ends too early", "400 BAD_REQUEST", (on) => post(on, '{"query":"{ __type')],
  [
    "prototypes as variables",
    "200",
    (on) => post(on, `{"query":"${NAME}","variables":{"__proto__":{"admin":true},"constructor":1}}`),
  ],
  [
    "a header of 20 KiB",
    "431",
    (on) => raw(on, `POST /graphql HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_480)}\r\n\r\n`),
  ],
  ["an address of 20 KiB", "431", (on) => raw(on, `GET /${"x".repeat(20_480)} HTTP/1.1\r\nHost: x\r\n\r\n`)],
  [
    "two lengths of one body",
    "400",
    (on) => raw(on, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"),
  ],
  [
    "a length and chunks",
    "400",
    (on) =>
      raw(on, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  ],
];

const BOMB = brotliCompressSync(Buffer.alloc(2 ** 26, " "));

async function userError({ url, token }: Subject, body: string): Promise<string> {
  const headers = { ...JSON_TYPE, authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/graphql`, { method: "POST", headers, body });
  const { data } = (await response.json()) as { data: { createProbe: { userErrors: { code: string }[] } } };
  return `userErrors ${data.createProbe.userErrors[0]?.code}`;
}

/** Bytes that no HTTP client would send. @returns the status of the answer */
async function raw({ url }: Subject, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.write(request);
  const [answer] = await Promise.race([once(socket, "data"), once(socket, "close").then(() => ["closed"])]);
  socket.destroy();
  return /^HTTP\/1.1 (\d+)/.exec(String(answer))?.[1] ?? String(answer);
}

const strangers: [string, string, (subject: Subject) => Promise<string>][] = [
  ["introspection without a token", "401 INTROSPECTION_REFUSED", (on) => anonymous(on, INTROSPECTION)],
  ["a read without a token", "200 UNAUTHENTICATED", (on) => anonymous(on, "{ incidents { totalCount } }")],
  ["a field suggestion for a misspelt field", "none", suggestion],
  [
    "a mutation as a form of another site",
    "400 BAD_REQUEST",
    (on) => post(on, { query: MUTATION }, { "content-type": "text/plain" }),
  ],
  ["a mutation in an address", "400 BAD_REQUEST", (on) => get(on, MUTATION, {})],
  ["a mutation by GET, after a preflight", "405 BAD_REQUEST", (on) => get(on, MUTATION, JSON_TYPE)],
  ["an upgrade from a page of another site", "403", (on) => upgrade(on, { origin: "https://evil.example" })],
  ["an upgrade from a page without an origin", "403", (on) => upgrade(on, { origin: "null" })],
  ["an upgrade from a program", "101", (on) => upgrade(on, {})],
];

async function anonymous({ url }: Subject, query: string): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: JSON_TYPE,
    body: JSON.stringify({ query }),
  });
  return verdictOf(response.status, (await response.json()) as object);
}

async function get({ url, token }: Subject, query: string, headers: Record<string, string>): Promise<string> {
  const address = `${url}/graphql?query=${encodeURIComponent(query)}`;
  const response = await fetch(address, { headers: { authorization: `Bearer ${token}`, ...headers } });
  return verdictOf(response.status, (await response.json()) as object);
}

async function suggestion({ url, token }: Subject): Promise<string> {
  const headers = { ...JSON_TYPE, authorization: `Bearer ${token}` };
  const body = JSON.stringify({ query: "{ incident(ids: 1) { titel } viewr { name } }" });
  const text = await (await fetch(`${url}/graphql`, { method: "POST", headers, body })).text();
  return /did you mean/i.test(text) ? text : "none";
}

async function upgrade({ url }: Subject, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/graphql`, "graphql-transport-ws", { headers });
  socket.on("error", () => {});
  const refused = once(socket, "unexpected-response").then(([, response]) => String(response.statusCode));
  const status = await Promise.race([refused, once(socket, "open").then(() => "101")]);
  socket.terminate();
  return status;
}

const floods: Check[] = [
  {
    what: "5,000 subscriptions on one connection",
    expected: "200 run, 4800 TOO_MANY_REQUESTS; the connection lives",
    run: (subject) =>
      withSocket(subject, async (socket) => {
        const ids = Array.from({ length: 5000 }, () => socket.subscribe("subscription { incidentEvents { cursor } }"));
        await socket.next(({ id }) => id === ids.at(-1));
        const of = (type: string) => socket.received.filter((message) => message.type === type);
        const count = (type: string) => new Set(of(type).map(({ id }) => id)).size;
        const code = of("error").at(0)?.payload[0].extensions.code;
        const figures = `${count("next")} run, ${count("error")} ${code}`;
        socket.complete(ids[0]!);
        socket.send({ type: "ping" });
        await socket.next(({ type }) => type === "pong");
        return (await socket.ask(NAME)).data ? `${figures}; the connection lives` : figures;
      }),
  },
];

const slow: Check[] = [
  ["a connection that says nothing", ""],
  ["a request whose head never ends", "POST /graphql HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n"],
  [
    "a request whose body never comes",
    "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
  ],
].map(([what, sent]) => ({ what: what!, expected: "408", slow: true, run: (subject) => raw(subject, sent!) }));

/** What a stranger, a broken client or a lured browser may try. */
export const abuse: Area = {
  name: "Abuse",
  file: "test/conformance/abuse.ts",
  checks: [
    ...documents,
    ...[...bodies, ...strangers].map(([what, expected, run]) => ({ what, expected, run })),
    ...floods,
    ...slow,
  ],
};
