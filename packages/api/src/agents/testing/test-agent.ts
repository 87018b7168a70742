import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type BatchAck, encodeResultBatch, type Result, type SpoolGap } from "@poppo-ops/plugins/wire";
import { type Client, createClient } from "graphql-ws";
import { SignJWT } from "jose";
import { WebSocket } from "ws";
import type { TestServer } from "../../http/testing/test-server.js";
import { newId } from "../../kernel/ids.js";
import type { SessionMessage } from "../agent-session.js";

export interface Claims {
  sub?: string;
  aud?: string;
  iat?: number;
  exp?: number;
  jti?: string;
}

/** An enrolled agent: its key, and how it proves who it is. */
export interface TestAgent {
  id: string;
  name: string;
  /** A signed JWT; `claims` replace the right ones, `key` signs instead of its own. */
  assertion(claims?: Claims, key?: KeyObject): Promise<string>;
}

export interface Enrolment {
  agent: { id: string } | null;
  serverKey: unknown;
  userErrors: { code: string; field: string | null; message: string }[];
}

export async function enrolmentToken({ ask }: TestServer, input: Record<string, unknown> = {}): Promise<string> {
  const { data } = await ask(
    "mutation ($input: CreateEnrolmentTokenInput!) { createEnrolmentToken(input: $input) { token } }",
    { input },
  );
  return data.createEnrolmentToken.token;
}

export async function enrol({ ask }: TestServer, input: Record<string, unknown>): Promise<Enrolment> {
  const { data } = await ask(
    "mutation ($input: EnrolAgentInput!) { enrolAgent(input: $input) { agent { id } serverKey userErrors { code field message } } }",
    { input: { facts: {}, version: "test", ...input } },
    null,
  );
  return data.enrolAgent;
}

export async function testAgent(on: TestServer, name: string, labels: Record<string, string> = {}): Promise<TestAgent> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const token = await enrolmentToken(on, { labels });
  const { agent, userErrors } = await enrol(on, { token, name, publicKey: publicKey.export({ format: "jwk" }) });
  if (!agent) throw new Error(userErrors[0]?.message);
  return {
    id: agent.id,
    name,
    async assertion(claims = {}, key = privateKey) {
      const now = Math.floor(on.app.clock.now() / 1000);
      const all = { sub: agent.id, aud: "poppo-ops", iat: now, exp: now + 60, jti: newId(), ...claims };
      return new SignJWT(all).setProtectedHeader({ alg: "EdDSA" }).sign(key);
    },
  };
}

export class GraphQLErrors extends Error {
  constructor(readonly errors: readonly { message: string; extensions?: Record<string, unknown> }[]) {
    super(errors.map(({ message }) => message).join("; "));
  }
  get code(): unknown {
    return this.errors[0]?.extensions?.code;
  }
}

/** A connection as an agent makes it, through the plain graphql-ws client. */
export interface AgentConnection extends AsyncDisposable {
  client: Client;
  /** Every message of the session so far. */
  messages: SessionMessage[];
  /** The close code, once it is closed. */
  closed: Promise<{ code: number; reason: string }>;
  /** Begins the session; resolves with its first message. */
  open(): Promise<SessionMessage>;
  run<Data>(query: string, variables?: Record<string, unknown>): Promise<Data>;
  report(batch: { epoch: string; from: number; results: Result[]; gaps?: SpoolGap[] }): Promise<BatchAck>;
}

const SESSION = `subscription { agentSession {
  assignments { version probes { probeId name kind config intervalMs retryIntervalMs maxAttempts timeoutMs version } }
  commands { id payload signature } leaseMs ackedSeq ackedEpoch } }`;

export async function connect(on: TestServer, agent: TestAgent, assertion?: string): Promise<AgentConnection> {
  const credentials = { id: agent.id, assertion: assertion ?? (await agent.assertion()) };
  let onClosed: (event: { code: number; reason: string }) => void = () => {};
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    onClosed = resolve;
  });
  const client = createClient({
    url: `${on.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { agent: credentials },
    retryAttempts: 0,
    lazy: false,
    onNonLazyError: () => {},
    on: {
      closed(event) {
        const { code, reason } = event as { code: number; reason: string };
        onClosed({ code, reason });
      },
    },
  });
  const messages: SessionMessage[] = [];
  const run = <Data>(query: string, variables?: Record<string, unknown>) => once<Data>(client, query, variables);
  return {
    client,
    messages,
    closed,
    open: () => openSession(client, messages),
    run,
    async report({ gaps = [], ...batch }) {
      const { reportResults: ack } = await run<{ reportResults: BatchAck & { ackedSeq: unknown } }>(
        "mutation ($batch: ResultBatch!) { reportResults(batch: $batch) { ackedSeq window retryAfterMs } }",
        { batch: encodeResultBatch({ ...batch, gaps }) },
      );
      return { ...ack, ackedSeq: Number(ack.ackedSeq) };
    },
    async [Symbol.asyncDispose]() {
      await client.dispose();
    },
  };
}

function openSession(client: Client, messages: SessionMessage[]): Promise<SessionMessage> {
  return new Promise((resolve, reject) => {
    client.subscribe<{ agentSession: SessionMessage }>(
      { query: SESSION },
      {
        next({ data, errors }) {
          if (errors) return reject(new GraphQLErrors(errors as never));
          messages.push(data!.agentSession);
          resolve(data!.agentSession);
        },
        error: (error) => reject(Array.isArray(error) ? new GraphQLErrors(error) : error),
        complete: () => {},
      },
    );
  });
}

function once<Data>(client: Client, query: string, variables?: Record<string, unknown>): Promise<Data> {
  return new Promise((resolve, reject) => {
    client.subscribe<Data>(
      { query, variables },
      {
        next: ({ data, errors }) => (errors ? reject(new GraphQLErrors(errors as never)) : resolve(data!)),
        error: (error) => reject(Array.isArray(error) ? new GraphQLErrors(error) : error),
        complete: () => {},
      },
    );
  });
}
