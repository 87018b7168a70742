import type { Socket } from "node:net";
import type { GraphqlSocket } from "./graphql-socket.js";

/** What ends a graphql-transport-ws connection, and with which code. */
export interface ProtocolBreach {
  what: string;
  code: number;
  act(socket: GraphqlSocket, token: string): void | Promise<void>;
}

const init = (authorization: unknown) => ({ type: "connection_init", payload: { authorization } });
const query = { type: "subscribe", id: "1", payload: { query: "{ viewer { name } }" } };
const forever = { type: "subscribe", id: "1", payload: { query: "subscription { incidentEvents { cursor } }" } };
/** Below what the library would send. */
const bytes = ({ socket }: GraphqlSocket, text: string) =>
  (socket as unknown as { _socket: Socket })._socket.write(text);

const INVALID: ProtocolBreach[] = [
  ["a text that is no JSON", "hello"],
  ["a message without a type", "{}"],
  ["a list of messages", [query, query]],
  ["a type of the older protocol", { type: "start" }],
  ["a type that only servers send", { type: "next", id: "1", payload: {} }],
  ["a subscribe without an id", { type: "subscribe", payload: query.payload }],
  ["a subscribe with an empty id", { ...query, id: "" }],
  ["a subscribe without a query", { ...query, payload: {} }],
  ["a query that is no text", { ...query, payload: { query: {} } }],
  ["variables that are no object", { ...query, payload: { ...query.payload, variables: "x" } }],
  ["an init whose payload is no object", { type: "connection_init", payload: "x" }],
].map(([what, message]) => ({ what: what as string, code: 4400, act: (socket) => socket.send(message as object) }));

export const PROTOCOL_BREACHES: ProtocolBreach[] = [
  ...INVALID,
  { what: "a subscribe before the acknowledgement", code: 4401, act: (socket) => socket.send(query) },
  {
    what: "a second init",
    code: 4429,
    act(socket, token) {
      socket.send(init(`Bearer ${token}`));
      socket.send(init(`Bearer ${token}`));
    },
  },
  {
    what: "two operations of one id",
    code: 4409,
    async act(socket, token) {
      socket.send(init(`Bearer ${token}`));
      await socket.next(({ type }) => type === "connection_ack");
      socket.send(forever);
      socket.send(forever);
    },
  },
  { what: "an unknown token", code: 4403, act: (socket) => socket.send(init("Bearer poppo_api_nothing")) },
  { what: "no token", code: 4403, act: (socket) => socket.send({ type: "connection_init" }) },
  { what: "a token that is no text", code: 4403, act: (socket) => socket.send(init({ toString: "x" })) },
  { what: "a message over 1 MiB", code: 1009, act: (socket) => socket.send("x".repeat(1024 * 1024 + 1)) },
  {
    what: "a message in more than 64 fragments of one byte",
    code: 1008,
    act(socket) {
      for (let i = 0; i < 100; i++) socket.socket.send("x", { fin: i === 99 });
    },
  },
  {
    what: "text that is no UTF-8",
    code: 1007,
    act: ({ socket }) => socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false }),
  },
  { what: "bytes that are no frame", code: 1002, act: (socket) => void bytes(socket, "hello") },
];
