import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buildSchema, graphql, parse } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { type WebSocket, WebSocketServer } from "ws";

const schema = buildSchema(await readFile(new URL("../../../api/schema.graphql", import.meta.url), "utf8"));

/** Root fields by name; each gets the field's arguments. Throw a `GraphQLError` to answer with an error. */
export type Roots = Record<string, (args: never) => unknown>;

export interface Recorded {
  operation: string;
  variables: Record<string, unknown>;
  authorization?: string;
}

export interface FakeServerOptions {
  roots: Roots;
  port?: number;
  /** Close a new WebSocket with this code instead of acknowledging it. */
  refuseWith?: () => number | undefined;
}

/** A server at the edge: the real schema over real HTTP and WebSockets, with answers the test decides, recording what it was asked. */
export async function startFakeServer({ roots, port = 0, refuseWith }: FakeServerOptions) {
  const requests: Recorded[] = [];
  const connectionParams: unknown[] = [];
  const sockets = new WebSocketServer({ noServer: true });
  const http = createServer(async (request, response) => {
    const { query, variables } = JSON.parse(await text(request)) as {
      query: string;
      variables?: Record<string, unknown>;
    };
    const operation = nameOf(query);
    requests.push({ operation, variables: variables ?? {}, authorization: request.headers.authorization });
    const answer = await graphql({ schema, source: query, rootValue: roots, variableValues: variables });
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  http.on("upgrade", (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit("connection", webSocket, request)),
  );
  useServer(
    {
      schema,
      roots: { query: roots, mutation: roots, subscription: roots },
      onConnect(context) {
        connectionParams.push(context.connectionParams);
        const code = refuseWith?.();
        if (code !== undefined) context.extra.socket.close(code, "UNAUTHENTICATED: the token is revoked");
        return code === undefined;
      },
      onSubscribe(_context, _id, { query, variables }) {
        requests.push({ operation: nameOf(query), variables: { ...variables } });
      },
    },
    sockets,
  );
  await new Promise<void>((resolve) => http.listen(port, "127.0.0.1", resolve));
  const address = http.address() as AddressInfo;
  const clients = (): WebSocket[] => [...sockets.clients];
  const server = {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    requests,
    connectionParams,
    clients,
    asked: (operation: string) => requests.filter((request) => request.operation === operation),
    /** Every connection breaks, without a word. */
    drop() {
      for (const client of sockets.clients) client.terminate();
    },
    close(code: number, reason?: string) {
      for (const client of sockets.clients) client.close(code, reason);
    },
    async stop() {
      server.drop();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
  return server;
}

export type FakeServer = Awaited<ReturnType<typeof startFakeServer>>;

function nameOf(query: string): string {
  const [definition] = parse(query).definitions;
  return (definition?.kind === "OperationDefinition" && definition.name?.value) || "anonymous";
}

async function text(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const piece of request) body += piece;
  return body;
}
