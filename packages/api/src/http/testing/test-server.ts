import { pino } from "pino";
import { createApiToken } from "../../access/api-token.service.js";
import { type TestDatabase, testDatabase } from "../../db/testing/test-database.js";
import { systemScope } from "../../kernel/app.js";
import type { Role } from "../../kernel/permissions.js";
import { type RunningServer, type ServerOptions, startServer } from "../../server.js";
import { GraphqlSocket } from "./graphql-socket.js";

const ADMIN = "poppo_api_test-administrator";

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it has asked for
  data: any;
  errors?: { message: string; extensions: { code: string; requestId: string } & Record<string, unknown> }[];
  headers: Headers;
}

export interface TestServer extends RunningServer, AsyncDisposable {
  database: TestDatabase;
  adminToken: string;
  /** Sends a GraphQL request; as the administrator when no token is given, as nobody when it is null. */
  ask(
    query: string,
    variables?: Record<string, unknown>,
    token?: string | null,
    operationName?: string,
  ): Promise<Answer>;
  /** Makes a token of that role. */
  tokenFor(role: Role): Promise<string>;
  /** An open and acknowledged graphql-transport-ws connection. */
  socket(token?: string): Promise<GraphqlSocket>;
}

/** A whole replica. On a database of its own unless one is given: then it is one more replica of the same installation. */
export async function testServer(
  options: Partial<ServerOptions> & { database?: TestDatabase } = {},
): Promise<TestServer> {
  const { database: shared, ...given } = options;
  const database = shared ?? (await testDatabase());
  const server = await startServer({
    databaseUrl: database.url,
    host: "127.0.0.1",
    port: 0,
    adminToken: ADMIN,
    log: pino({ level: "silent" }),
    version: "test",
    ...given,
  });
  return {
    ...server,
    database,
    adminToken: ADMIN,
    ask: (query, variables = {}, token = ADMIN, operationName) =>
      ask(server.url, { query, variables, operationName }, token),
    async tokenFor(role) {
      const name = `${role.toLowerCase()} of a test`;
      return (await createApiToken(systemScope(server.app), { name, role })).token;
    },
    socket: (token = ADMIN) => GraphqlSocket.acknowledged(server.url, token),
    async [Symbol.asyncDispose]() {
      await server.stop();
      if (!shared) await database[Symbol.asyncDispose]();
    },
  };
}

async function ask(url: string, body: object, token: string | null): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, ...((await response.json()) as Pick<Answer, "data">) };
}
