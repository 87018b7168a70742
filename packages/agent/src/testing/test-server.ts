import { createPublicKey, generateKeyPairSync, type JsonWebKey, sign } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import {
  type CommandPayload,
  decodeOutputBatch,
  decodeResultBatch,
  type OutputChunk,
  type Result,
  resultAt,
  type SpoolGap,
} from "@poppo-ops/plugins/wire";
import { buildSchema, GraphQLError, graphql } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { jwtVerify } from "jose";
import { WebSocketServer } from "ws";
import { newId } from "../ids.js";
import type { Assignment } from "../scheduler/assignment.js";

const SDL = readFileSync(new URL("../../../api/schema.graphql", import.meta.url), "utf8");

export interface CommandReport {
  commandId: string;
  fencingToken: string;
  end?: string;
  summary?: string;
  result?: unknown;
  survivors?: number[];
}

interface SessionMessage {
  assignments?: unknown;
  commands: unknown[];
  leaseMs: number;
  ackedSeq?: string;
  ackedEpoch?: string;
}

/** What the server holds, as a database would: it outlives `down()` and `up()`. */
export interface ServerState {
  enrolled: { id: string; name: string; publicKey: JsonWebKey; facts: unknown }[];
  results: Map<number, Result>;
  gaps: SpoolGap[];
  epoch: string | undefined;
  ackedSeq: number;
  reports: CommandReport[];
  output: OutputChunk[];
  assertions: string[];
  sessions: number;
}

/**
 * A real GraphQL server over http and WebSocket that keeps the rules of the agent protocol, records what it got and
 * misbehaves when told to.
 */
export async function startTestServer() {
  const keys = generateKeyPairSync("ed25519");
  const state: ServerState = {
    enrolled: [],
    results: new Map(),
    gaps: [],
    epoch: undefined,
    ackedSeq: 0,
    reports: [],
    output: [],
    assertions: [],
    sessions: 0,
  };
  const control = {
    token: "enrol-me",
    leaseMs: 30_000,
    refuseResults: 0,
    holdAcks: undefined as Promise<void> | undefined,
  };
  let assignments: { version: string; probes: Assignment[] } = { version: "0", probes: [] };
  let commands: unknown[] = [];
  const subscribers = new Set<(message: SessionMessage) => void>();
  const schema = buildSchema(SDL);

  const publish = (message: Partial<SessionMessage>) => {
    for (const push of subscribers) push({ commands: [], leaseMs: control.leaseMs, ...message });
  };

  const rootValue = {
    enrolAgent({ input }: { input: { token: string; name: string; publicKey: JsonWebKey; facts: unknown } }) {
      if (input.token !== control.token)
        return { userErrors: [{ code: "TOKEN_INVALID", field: "token", message: "the token is unknown or used up" }] };
      const agent = { id: newId(), name: input.name, publicKey: input.publicKey, facts: input.facts };
      state.enrolled.push(agent);
      return { agent: { ...agent, labels: {} }, serverKey: keys.publicKey.export({ format: "jwk" }), userErrors: [] };
    },
    async reportResults({ batch: raw }: { batch: unknown }) {
      if (control.refuseResults-- > 0)
        throw new GraphQLError("the database is away", { extensions: { code: "UNAVAILABLE" } });
      const batch = decodeResultBatch(raw);
      if (state.epoch !== batch.epoch) state.ackedSeq = 0;
      state.epoch = batch.epoch;
      const from = batch.gaps[0]?.from ?? batch.from;
      if (from > state.ackedSeq + 1)
        throw new GraphQLError("hole", { extensions: { code: "OUT_OF_ORDER", expectedSeq: state.ackedSeq + 1 } });
      for (let row = 0; row < batch.rows; row++) {
        if (batch.from + row > state.ackedSeq) state.results.set(batch.from + row, resultAt(batch, row));
      }
      state.gaps.push(...batch.gaps);
      state.ackedSeq = Math.max(state.ackedSeq, batch.from + batch.rows - 1);
      await control.holdAcks;
      return { ackedSeq: String(state.ackedSeq), window: 2, retryAfterMs: 0 };
    },
    reportOutput({ batch: raw }: { batch: unknown }) {
      const { chunks } = decodeOutputBatch(raw);
      for (const chunk of chunks) if (!state.output.some(({ seq }) => seq === chunk.seq)) state.output.push(chunk);
      return { seq: chunks.at(-1)?.seq ?? -1 };
    },
    reportCommand({ input }: { input: CommandReport }) {
      state.reports.push(input);
      return { accepted: true, userErrors: [] };
    },
    async *agentSession() {
      const queue: SessionMessage[] = [
        { assignments, commands, leaseMs: control.leaseMs, ackedSeq: String(state.ackedSeq), ackedEpoch: state.epoch },
      ];
      let wake = () => {};
      const push = (message: SessionMessage) => {
        queue.push(message);
        wake();
      };
      subscribers.add(push);
      state.sessions++;
      try {
        for (;;) {
          const message = queue.shift();
          if (message) yield { agentSession: message };
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        subscribers.delete(push);
      }
    },
  };

  async function authenticate(params: Record<string, unknown> | undefined): Promise<boolean> {
    const { id, assertion } = (params?.agent ?? {}) as { id?: string; assertion?: string };
    const agent = state.enrolled.find((it) => it.id === id);
    if (!agent || !assertion) return false;
    const key = createPublicKey({ key: agent.publicKey, format: "jwk" });
    const { payload } = await jwtVerify(assertion, key, { audience: "poppo-ops", subject: agent.id });
    state.assertions.push(String(payload.jti));
    return true;
  }

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { query, variables } = JSON.parse(Buffer.concat(parts).toString());
    const result = await graphql({ schema, rootValue, source: query, variableValues: variables });
    response.setHeader("content-type", "application/json").end(JSON.stringify(result));
  }

  let stop = async () => {};
  let port = 0;
  const webSockets = () => sockets?.clients ?? new Set();
  let sockets: WebSocketServer | undefined;

  async function up(): Promise<void> {
    const connections = new Set<Socket>();
    const http = createServer((request, response) => void answer(request, response));
    http.on("connection", (socket) => {
      connections.add(socket);
      socket.on("close", () => connections.delete(socket));
    });
    sockets = new WebSocketServer({ server: http, path: "/graphql" });
    useServer(
      { schema, roots: roots(rootValue), onConnect: ({ connectionParams }) => authenticate(connectionParams) },
      sockets,
    );
    http.listen(port, "127.0.0.1");
    await once(http, "listening");
    port = (http.address() as AddressInfo).port;
    stop = async () => {
      for (const socket of connections) socket.destroy();
      http.close();
      sockets?.close();
      await once(http, "close");
    };
  }

  /** The JSON text and signature of a command, as the server would send it. */
  function command(payload: Partial<CommandPayload> & Pick<CommandPayload, "kind">, privateKey = keys.privateKey) {
    const full: CommandPayload = {
      v: 1,
      id: newId(),
      agentId: state.enrolled[0]?.id ?? "",
      fencingToken: 1,
      issuedAt: "2026-01-01T00:00:00Z",
      startBy: "2099-01-01T00:00:00Z",
      ...payload,
    };
    const text = JSON.stringify(full);
    return { id: full.id, payload: text, signature: sign(null, Buffer.from(text), privateKey).toString("base64url") };
  }

  await up();
  return {
    state,
    control,
    command,
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    assign(probes: Assignment[]) {
      assignments = { version: newId(), probes };
      publish({ assignments });
    },
    /** Sends a command now, and again at every new session, as a server does that has heard of no end. */
    send(signed: { id: string; payload: string; signature: string }) {
      commands = [...commands, signed];
      publish({ commands: [signed] });
    },
    endsOf: (id: string) => state.reports.filter((report) => report.commandId === id && report.end),
    /** Closes every session with a WebSocket close code. */
    closeSessions(code: number) {
      for (const socket of webSockets())
        (socket as { close(code: number, reason: string): void }).close(code, "told so");
    },
    down: () => stop(),
    up,
    [Symbol.asyncDispose]: () => stop(),
  };
}

export type TestServer = Awaited<ReturnType<typeof startTestServer>>;

const roots = (rootValue: Record<string, object>) => ({ mutation: rootValue, subscription: rootValue });
