import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { CLOSE } from "@poppo-ops/plugins/wire";
import { type ExecutionArgs, type GraphQLError, type GraphQLFormattedError, subscribe } from "graphql";
import {
  CloseCode,
  type GRAPHQL_TRANSPORT_WS_PROTOCOL,
  handleProtocols,
  makeServer,
  type Context as SocketContext,
} from "graphql-ws";
import { type WebSocket, WebSocketServer } from "ws";
import type { EventLog } from "../events/event-log.js";
import type { FanOut } from "../events/fan-out.js";
import { eventField, eventSubscription } from "../events/shared-query.js";
import { type EventSocket, Subscriber } from "../events/subscriber.js";
import { type Connection, type Context, newContext } from "../graphql/context.js";
import { codeOf, formatError } from "../graphql/format-error.js";
import { LIMITS } from "../graphql/limits.js";
import { asErrors, executeWithDeadline, type Operations, type PreparedOperation } from "../graphql/operation.js";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { newId } from "../kernel/ids.js";
import { authorise, type Principal } from "../kernel/permissions.js";
import type { Admission } from "./admission.js";
import type { Credentials } from "./authenticate.js";
import type { Connections } from "./connections.js";
import { eventSocket } from "./event-socket.js";
import { Liveness } from "./liveness.js";
import { originIsAllowed } from "./origin.js";
import { RunningOperations } from "./running-operations.js";

export interface SocketOptions {
  app: App;
  http: Server;
  operations: Operations;
  log: EventLog;
  fanOut: FanOut;
  connections: Connections;
  admission: Admission;
  authenticate(credentials: Credentials): Promise<Principal>;
  /** Told when a connection proves that it lives: opened, or a pong. */
  onAlive(connection: Connection): void;
}

/** What RFC 6455, graphql-transport-ws and we ourselves close with; a client may invent 2,000 more. */
const CLOSE_CODES = new Set([
  ...[1000, 1001, 1002, 1005, 1006, 1007, 1008, 1009, 1011],
  ...[4400, 4401, 4403, 4406, 4408, 4409, 4410, 4429, 4500, 4503],
]);

interface Extra extends Record<PropertyKey, unknown> {
  socket: WebSocket;
  /** What `socket` is on. */
  stream: Duplex;
  running: RunningOperations;
  connection?: Connection;
}
type Format = (
  args: unknown,
  errors: readonly GraphQLFormattedError[] | readonly GraphQLError[],
) => GraphQLFormattedError[];
type Socket = SocketContext<Record<string, unknown>, Extra>;
type Prepared = ExecutionArgs &
  PreparedOperation & { contextValue: Context; source: string; operationId: string; socket: EventSocket };

export interface SocketLayer {
  /** Open sockets, also those that have not yet said who they are. */
  readonly size: number;
  /** Closes what is open with 1001, in slices, so that clients do not all come back in one moment. */
  stop(): Promise<void>;
}

/**
 * graphql-transport-ws on the HTTP server's port. Binds graphql-ws's protocol core to `ws` by hand: its own binding starts
 * a timer per socket, and closes with codes that its client takes for final.
 */
export function serveWebSocket(options: SocketOptions): SocketLayer {
  const { app, http, connections, admission } = options;
  const liveness = new Liveness(app.clock);
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: LIMITS.bodyBytes,
    maxFragments: 64,
    perMessageDeflate: false,
    handleProtocols,
  });
  const core = makeServer<Record<string, unknown>, Extra>(hooks(options, liveness));
  liveness.start();

  http.on("upgrade", (request, stream, head) => {
    // Nobody else listens to it until `ws` does, and an error that nobody hears ends the process.
    stream.on("error", (error) => app.log.debug({ err: error }, "upgrade failed"));
    const refusal = upgradeRefusal(request) ?? (admission.admit() ? null : TRY_LATER);
    if (refusal) return stream.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    sockets.handleUpgrade(request, stream, head, (socket) =>
      bind(core, { socket, stream, running: new RunningOperations() }, app),
    );
  });

  return {
    get size() {
      return sockets.clients.size;
    },
    async stop() {
      await liveness.stop();
      let closed = 0;
      for (const socket of sockets.clients) {
        socket.close(CLOSE.GOING_AWAY, "server is stopping");
        if (++closed % 200 === 0) await app.clock.sleep(10);
      }
      const deadline = new AbortController();
      const gone = Promise.all(
        [...sockets.clients].map((s) => new Promise<void>((resolve) => s.once("close", () => resolve()))),
      );
      await Promise.race([gone, app.clock.sleep(2000, deadline.signal)]);
      deadline.abort();
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      for (const connection of connections) connection.close(CLOSE.GOING_AWAY, "server is stopping");
    },
  };
}

/** Before anything was spent on it. Its wait is jittered by the client. */
const TRY_LATER = "503 Service Unavailable\r\nRetry-After: 1";

function upgradeRefusal(request: IncomingMessage): string | null {
  if (request.url?.split("?")[0] !== "/graphql") return "404 Not Found";
  if (!originIsAllowed(request)) return "403 Forbidden";
  return null;
}

function bind(core: ReturnType<typeof makeServer<Record<string, unknown>, Extra>>, extra: Extra, app: App): void {
  const { socket, running } = extra;
  const closed = core.opened(
    {
      protocol: socket.protocol as typeof GRAPHQL_TRANSPORT_WS_PROTOCOL,
      send: (data) => send(socket, data),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (handle) => {
        socket.on("message", (data) => {
          running
            .during(() => handle(String(data)))
            .catch((error: Error) => {
              // The core throws at what is a message of the protocol, but only the server's to send.
              if (error.message.startsWith("Unexpected message"))
                return socket.close(CloseCode.BadRequest, "Invalid message received");
              app.log.warn({ err: error }, "a WebSocket message could not be handled");
              socket.close(1011, "internal error");
            });
        });
      },
    },
    extra,
  );
  socket.on("error", (error) => app.log.debug({ err: error }, "socket error"));
  socket.once("close", (code, reason) => {
    app.metrics.websocket.closes.inc({ code: CLOSE_CODES.has(code) ? code : "other" });
    closed(code, String(reason)).catch((error) => app.log.warn({ err: error }, "a WebSocket could not be cleaned up"));
  });
}

function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    // A peer that is gone is no error of ours: `close` follows and cleans up.
    if (socket.readyState !== socket.OPEN) return resolve();
    // It asks, and does not read the answers.
    if (socket.bufferedAmount > LIMITS.socketBufferBytes) socket.terminate();
    socket.send(text, () => resolve());
  });
}

function hooks(
  options: SocketOptions,
  liveness: Liveness,
): Parameters<typeof makeServer<Record<string, unknown>, Extra>>[0] {
  const { app, connections, authenticate } = options;
  const aborts = new WeakMap<WebSocket, AbortController>();
  const format: Format = (args, errors) =>
    errors.map((error) =>
      formatError(error, (args as Partial<Prepared> | undefined)?.contextValue?.requestId ?? newId(), app.log),
    );

  return {
    connectionInitWaitTimeout: 10_000,
    async onConnect({ connectionParams, extra }: Socket) {
      try {
        const principal = await authenticate((connectionParams ?? {}) as Credentials);
        if (principal.kind === "anonymous")
          throw new AppError("UNAUTHENTICATED", 'send connectionParams { authorization: "Bearer <token>" }');
        // It closed while we looked: `onClose` has been, and would never take the connection off again.
        if (extra.socket.readyState !== extra.socket.OPEN) return false;
        const closing = new AbortController();
        aborts.set(extra.socket, closing);
        extra.connection = openConnection(extra.socket, principal, closing.signal);
        connections.add(extra.connection);
        liveness.watch(extra.socket, () => options.onAlive(extra.connection!));
        options.onAlive(extra.connection);
        return true;
      } catch (error) {
        refuseConnection(extra.socket, error, app);
        return false;
      }
    },
    onClose: ({ extra }: Socket) => aborts.get(extra.socket)?.abort(),
    async onSubscribe(socket: Socket, id: string, payload) {
      const context = newContext(app, socket.extra.connection!.principal, socket.extra.connection);
      try {
        begin(socket, id, format);
        return prepare(options, socket, id, payload, context);
      } catch (error) {
        // Thrown, it would close the socket with 4500, which clients take for final.
        const errors = asErrors(error);
        countOperation(app, "unknown", errors);
        return errors;
      }
    },
    onOperation(_socket, _id, _payload, args, result) {
      const errors = "errors" in result ? result.errors : undefined;
      countOperation(app, (args as Prepared).operation.operation, errors);
    },
    execute: (args) => executeWithDeadline(args as Prepared) as never,
    subscribe: (args) => start(options, args as Prepared) as never,
    onNext: (_socket, _id, _payload, args, result) =>
      result.errors ? { ...result, errors: format(args, result.errors) } : undefined,
    onError: (_socket, _id, _payload, errors) => format(undefined, errors),
  } as Parameters<typeof makeServer<Record<string, unknown>, Extra>>[0];
}

const countOperation = ({ metrics }: App, type: string, errors?: readonly GraphQLError[]): void =>
  metrics.graphql.operations.inc({ transport: "websocket", type, outcome: errors?.[0] ? codeOf(errors[0]) : "ok" });

/** A refused id must not stay in the core's hands, which then does not tell the client either. */
function begin({ extra, subscriptions }: Socket, id: string, format: Format): void {
  try {
    extra.running.begin(id);
  } catch (error) {
    delete (subscriptions as Record<string, unknown>)[id];
    void send(extra.socket, JSON.stringify({ id, type: "error", payload: format(undefined, asErrors(error)) }));
    throw error;
  }
}

function prepare(
  options: SocketOptions,
  socket: Socket,
  operationId: string,
  payload: { query: string; operationName?: string | null; variables?: Record<string, unknown> | null },
  contextValue: Context,
): Prepared {
  return {
    ...options.operations.prepare(payload, contextValue),
    schema: options.operations.schema,
    operationName: payload.operationName,
    variableValues: payload.variables,
    contextValue,
    source: payload.query,
    operationId,
    socket: eventSocket(socket.extra.socket, socket.extra.stream),
  };
}

async function start({ fanOut, log }: SocketOptions, args: Prepared) {
  const field = eventField(args.operation, args.document);
  if (!field) return subscribe(args);
  try {
    authorise(args.contextValue.scope.principal, "read");
    const { query, after } = eventSubscription(args.source, args, field, log);
    const subscriber = new Subscriber(args.socket, args.operationId);
    await fanOut.join(subscriber, query, after);
    return subscriber;
  } catch (error) {
    return { errors: asErrors(error) };
  }
}

function openConnection(socket: WebSocket, principal: Principal, closed: AbortSignal): Connection {
  return { id: newId(), principal, closed, close: (code, reason) => socket.close(code, reason) };
}

function refuseConnection(socket: WebSocket, error: unknown, app: App): void {
  const refused = error instanceof AppError;
  // 4403 is final to clients; only a credential that can never work again deserves it.
  const code = refused && error.code === "UNAUTHENTICATED" ? CLOSE.REVOKED : CLOSE.TRY_LATER;
  socket.close(code, refused ? `${error.code}: ${error.message}`.slice(0, 120) : "try again later");
  if (!refused) app.log.warn({ err: error }, "a connection could not be authenticated");
}
