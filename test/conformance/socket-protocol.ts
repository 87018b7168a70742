import { GraphqlSocket } from "../../packages/api/src/http/testing/graphql-socket.js";
import { PROTOCOL_BREACHES } from "../../packages/api/src/http/testing/protocol-breaches.js";
import { type Area, type Check, type Subject, withSocket } from "./check.js";

const NAME = "{ viewer { name } }";
const EVENTS = "subscription { incidentEvents { cursor } }";

const closing: Check[] = PROTOCOL_BREACHES.map(({ what, code, act }) => ({
  what,
  expected: `closed with ${code}`,
  async run({ url, token }) {
    await using socket = await GraphqlSocket.open(url);
    await act(socket, token);
    return await closedWith(socket);
  },
}));

const closedWith = async (socket: GraphqlSocket): Promise<string> => `closed with ${(await socket.closed).code}`;

/** Another protocol, or none at all. The client refuses an answer without its protocol, so the server's code is not seen. */
const otherProtocol: Check[] = [
  {
    what: "no subprotocol",
    expected: "closed with 4406",
    async run({ url }) {
      await using socket = await GraphqlSocket.open(url, { protocol: null });
      return await closedWith(socket);
    },
  },
  {
    what: "the older subprotocol graphql-ws",
    expected: /not agreed on/,
    run: ({ url }) =>
      GraphqlSocket.open(url, { protocol: "graphql-ws" }).then(closedWith, (error: Error) =>
        /subprotocol/.test(error.message) ? "not agreed on" : error.message,
      ),
  },
];

const late: Check = {
  what: "no init within ten seconds",
  expected: "closed with 4408",
  slow: true,
  async run({ url }) {
    await using socket = await GraphqlSocket.open(url);
    return await closedWith(socket);
  },
};

const answered: [string, string, (socket: GraphqlSocket) => Promise<string>][] = [
  [
    "a ping is answered, with its payload",
    '{"type":"pong","payload":{"n":1}}',
    async (socket) => {
      socket.send({ type: "ping", payload: { n: 1 } });
      return JSON.stringify(await socket.next(({ type }) => type === "pong"));
    },
  ],
  [
    "a pong that nobody asked for is heard without a word",
    "next, complete",
    (socket) => {
      socket.send({ type: "pong" });
      return answersTo(socket, NAME);
    },
  ],
  ["a query is one next and a complete", "next, complete", (socket) => answersTo(socket, NAME)],
  [
    "an invalid operation is one error, and the connection lives",
    "error",
    (socket) => answersTo(socket, "{ nothing }"),
  ],
  [
    "a subscription that the client completes is silent, and its id is free after a round trip",
    "silent, then next",
    async (socket) => {
      const id = await subscribed(socket);
      socket.complete(id);
      await socket.ask(NAME);
      const before = socket.received.length;
      socket.send({ type: "subscribe", id, payload: { query: EVENTS } });
      const { type } = await socket.next((message) => message.id === id && socket.received.indexOf(message) >= before);
      return typesOf(socket, id).includes("complete") ? "told of its end" : `silent, then ${type}`;
    },
  ],
  [
    "an id that is used again before its operation has ended",
    "next, error CONFLICT",
    async (socket) => {
      const id = await subscribed(socket);
      socket.sendTogether({ type: "complete", id }, { type: "subscribe", id, payload: { query: EVENTS } });
      const error = await socket.next((message) => message.id === id && message.type === "error");
      return `${typesOf(socket, id)} ${error.payload[0].extensions.code}`;
    },
  ],
  [
    "a message in three fragments is one message",
    "next",
    async (socket) => {
      const text = JSON.stringify({ type: "subscribe", id: "f", payload: { query: NAME } });
      for (const [from, to] of [[0, 10], [10, 20], [20]]) socket.socket.send(text.slice(from, to), { fin: !to });
      return (await socket.next(({ id }) => id === "f")).type;
    },
  ],
  [
    "a binary frame is read as text",
    "next",
    async (socket) => {
      const text = JSON.stringify({ type: "subscribe", id: "b", payload: { query: NAME } });
      socket.socket.send(Buffer.from(text), { binary: true });
      return (await socket.next(({ id }) => id === "b")).type;
    },
  ],
  [
    "a compressed connection is not agreed on",
    "no extension",
    async ({ socket }) => socket.extensions || "no extension",
  ],
];

function typesOf({ received }: GraphqlSocket, id: string): string {
  return received
    .filter((message) => message.id === id)
    .map(({ type }) => type)
    .join(", ");
}

async function answersTo(socket: GraphqlSocket, query: string): Promise<string> {
  const id = socket.subscribe(query);
  await socket.next((message) => message.id === id && message.type !== "next");
  return typesOf(socket, id);
}

async function subscribed(socket: GraphqlSocket): Promise<string> {
  const id = socket.subscribe(EVENTS);
  await socket.next((message) => message.id === id);
  return id;
}

const run = (act: (socket: GraphqlSocket) => Promise<string>) => (subject: Subject) => withSocket(subject, act);

/** https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, frame by frame. */
export const socketProtocol: Area = {
  name: "graphql-transport-ws",
  file: "test/conformance/socket-protocol.ts",
  checks: [
    ...closing,
    ...otherProtocol,
    late,
    ...answered.map(([what, expected, act]) => ({ what, expected, run: run(act) })),
  ],
};
