import type { AddressInfo } from "node:net";
import { GraphQLError } from "graphql";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { SocketState } from "./connection.js";
import {
  AgentSessionDocument,
  IncidentEventsDocument,
  ReportCommandDocument,
  ViewerDocument,
} from "./generated/graphql.js";
import { createSocket, type Socket, type SocketOptions } from "./socket.js";
import { FakeLog } from "./testing/fake-log.js";
import { type FakeServer, startFakeServer } from "./testing/fake-server.js";

let log: FakeLog;
let server: FakeServer;
let socket: Socket;
let states: SocketState[];
let viewer: () => unknown;
let connections = 0;

const roots = () => ({ ...log.roots, viewer: () => viewer() });
const open = (options: Partial<SocketOptions> = {}) =>
  createSocket({
    url: server.url,
    connectionParams: () => ({ assertion: `number ${++connections}` }),
    random: () => 0,
    onState: (state) => states.push(state),
    ...options,
  });
const listen = () => {
  const sink = { next: vi.fn(), error: vi.fn(), complete: vi.fn() };
  const stop = socket.subscribe(IncidentEventsDocument, {}, sink);
  return { ...sink, stop };
};

beforeEach(async () => {
  log = new FakeLog();
  states = [];
  connections = 0;
  viewer = () => ({ kind: "agent", name: "a", role: "AGENT" });
  server = await startFakeServer({ roots: roots() });
  socket = open();
});

afterEach(async () => {
  await socket.close();
  await server.stop();
});

test("executes one operation and returns its data", async () => {
  const data = await socket.execute(ViewerDocument);
  expect(data.viewer.name).toBe("a");
});

test("rejects with the server's code", async () => {
  viewer = () => {
    throw new GraphQLError("no", { extensions: { code: "FORBIDDEN" } });
  };
  await expect(socket.execute(ViewerDocument)).rejects.toMatchObject({ code: "FORBIDDEN", retryable: false });
});

test("a document that does not fit the schema is an error, not a lost connection", async () => {
  const input = { commandId: "c" } as never;
  await expect(socket.execute(ReportCommandDocument, { input })).rejects.toMatchObject({ retryable: false });
});

test("an answer that the connection did not live to bring rejects, and the operation is not sent again", async () => {
  listen();
  await vi.waitFor(() => expect(log.open).toBe(1));
  viewer = () => new Promise(() => {});
  const answer = socket.execute(ViewerDocument);
  await vi.waitFor(() => expect(server.asked("Viewer")).toHaveLength(1));
  server.drop();
  await expect(answer).rejects.toMatchObject({
    code: "CONNECTION_LOST",
    retryable: true,
    details: { closeCode: 1006 },
  });
  await vi.waitFor(() => expect(server.asked("IncidentEvents")).toHaveLength(2));
  expect(server.asked("Viewer")).toHaveLength(1);
});

test("an aborted operation rejects at once and leaves the others alone", async () => {
  const others = listen();
  viewer = () => new Promise(() => {});
  const abort = new AbortController();
  const answer = socket.execute(ViewerDocument, {}, { signal: abort.signal });
  abort.abort();
  await expect(answer).rejects.toMatchObject({ code: "ABORTED" });
  await vi.waitFor(() => expect(log.open).toBe(1));
  log.append(1);
  await vi.waitFor(() => expect(others.next).toHaveBeenCalledOnce());
});

test("every connection proves itself with fresh parameters, and the state is told", async () => {
  listen();
  await vi.waitFor(() => expect(log.open).toBe(1));
  server.close(1001, "restarting");
  await vi.waitFor(() => expect(server.connectionParams).toHaveLength(2));
  expect(server.connectionParams).toEqual([{ assertion: "number 1" }, { assertion: "number 2" }]);
  await vi.waitFor(() =>
    expect(states.map((state) => state.kind)).toEqual(["connecting", "connected", "closed", "connecting", "connected"]),
  );
  expect(states[2]).toMatchObject({ code: 1001, reason: "restarting", final: false });
});

test.each([1009, 1011, 4400, 4410, 4429, 4500, 4503])("comes back after the close code %i", async (code) => {
  const { error } = listen();
  await vi.waitFor(() => expect(log.open).toBe(1));
  server.close(code, "passing trouble");
  await vi.waitFor(() => expect(server.asked("IncidentEvents")).toHaveLength(2));
  expect(error).not.toHaveBeenCalled();
});

test("waits for a server that is not there yet", async () => {
  const { port } = server;
  await server.stop();
  const { next } = listen();
  await vi.waitFor(() => expect(states.filter((state) => state.kind === "closed").length).toBeGreaterThan(2));
  server = await startFakeServer({ roots: roots(), port });
  await vi.waitFor(() => expect(log.open).toBe(1));
  log.append(1);
  await vi.waitFor(() => expect(next).toHaveBeenCalledOnce());
});

test("gives up a connection whose peer has stopped answering, and finds it again", async () => {
  socket = open({ keepAliveMs: 50 });
  const { next } = listen();
  await vi.waitFor(() => expect(log.open).toBe(1));
  server.clients()[0]!.pause();
  await vi.waitFor(() => expect(server.connectionParams).toHaveLength(2));
  expect(states.find((state) => state.kind === "closed")).toMatchObject({ code: 4499, final: false });
  await vi.waitFor(() => expect(server.asked("IncidentEvents")).toHaveLength(2));
  log.append(1);
  await vi.waitFor(() => expect(next).toHaveBeenCalled());
});

test("terminate connects anew", async () => {
  listen();
  await vi.waitFor(() => expect(log.open).toBe(1));
  socket.terminate();
  await vi.waitFor(() => expect(server.connectionParams).toHaveLength(2));
});

test("close ends what is under way, and nothing can be started after it", async () => {
  const { error } = listen();
  await vi.waitFor(() => expect(log.open).toBe(1));
  await socket.close();
  expect(error).toHaveBeenCalledWith(expect.objectContaining({ code: "CLOSED" }));
  await vi.waitFor(() => expect(server.clients()).toHaveLength(0));
  await expect(socket.execute(ViewerDocument)).rejects.toMatchObject({ code: "CLOSED" });
  await socket.close();
});

test("close does not wait for a connection that never comes about", async () => {
  const sink = { next: vi.fn(), error: vi.fn(), complete: vi.fn() };
  socket = open({ connectionParams: () => new Promise(() => {}) });
  socket.subscribe(AgentSessionDocument, {}, sink);
  await vi.waitFor(() => expect(states).toHaveLength(1));
  await socket.close();
  expect(sink.error).toHaveBeenCalledOnce();
});

test("close resolves also when it meets a connection that has just broken", async () => {
  const made: WebSocket[] = [];
  class Recorded extends WebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol);
      made.push(this);
    }
  }
  socket = open({ webSocketImpl: Recorded });
  listen();
  await vi.waitFor(() => expect(log.open).toBe(1));
  // Between `error` and `close` the library is at its next attempt already.
  made[0]!.emit("error", new Error("read ECONNRESET"));
  await new Promise(setImmediate);
  await expect(socket.close()).resolves.toBeUndefined();
  made[0]!.terminate();
});

test("an answer and its end in one packet leave the other operations their connection", async () => {
  const raw = new WebSocketServer({ port: 0, handleProtocols: () => "graphql-transport-ws" });
  let lost = 0;
  raw.on("connection", (peer, request) => {
    peer.on("close", () => lost++);
    peer.on("message", (data) => {
      const { type, id, payload } = JSON.parse(String(data));
      if (type === "connection_init") peer.send(JSON.stringify({ type: "connection_ack" }));
      if (type !== "subscribe" || payload.query.includes("incidentEvents")) return;
      request.socket.cork();
      peer.send(JSON.stringify({ id, type: "next", payload: { data: { viewer: { name: "a" } } } }));
      peer.send(JSON.stringify({ id, type: "complete" }));
      request.socket.uncork();
    });
  });
  const { port } = raw.address() as AddressInfo;
  const other = open({ url: `http://127.0.0.1:${port}`, webSocketImpl: WebSocket });
  const stop = other.subscribe(IncidentEventsDocument, {}, { next: vi.fn(), error: vi.fn(), complete: vi.fn() });
  for (let i = 0; i < 3; i++) await other.execute(ViewerDocument);
  expect(lost).toBe(0);
  stop();
  await other.close();
  raw.close();
});
