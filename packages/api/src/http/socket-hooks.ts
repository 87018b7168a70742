import type { Duplex } from "node:stream";
import { CLOSE } from "@poppo-ops/plugins/wire";
import { type ExecutionArgs, type GraphQLError, type GraphQLFormattedError, subscribe } from "graphql";
import type { ServerOptions, Context as SocketContext } from "graphql-ws";
import type { WebSocket } from "ws";
import type { EventLog } from "../events/event-log.js";
import type { FanOut } from "../events/fan-out.js";
import { eventField, eventSubscription } from "../events/shared-query.js";
import { type EventSocket, Subscriber } from "../events/subscriber.js";
import { type Connection, type Context, newContext } from "../graphql/context.js";
import { codeOf, formatError } from "../graphql/format-error.js";
import { LIMITS } from "../graphql/limits.js";
import { asErrors, executeWithDeadline, type Operations, type PreparedOperation } from "../graphql/operation.js";
import { authoriseField } from "../graphql/policy.js";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { newId } from "../kernel/ids.js";
import type { Principal } from "../kernel/permissions.js";
import type { Credentials } from "./authenticate.js";
import type { Connections } from "./connections.js";
import { eventSocket } from "./event-socket.js";
import type { Liveness } from "./liveness.js";
import type { RunningOperations } from "./running-operations.js";
import type { UnderWay } from "./under-way.js";

export interface HookOptions {
  app: App;
  operations: Operations;
  log: EventLog;
  fanOut: FanOut;
  connections: Connections;
  liveness: Liveness;
  authenticate(credentials: Credentials): Promise<Principal>;
  underWay: UnderWay;
  /** Told when a connection proves that it lives: opened, or a pong. */
  onAlive(connection: Connection): void;
}

/** What we keep of a socket beside graphql-ws. */
export interface SocketExtra extends Record<PropertyKey, unknown> {
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
type Socket = SocketContext<Record<string, unknown>, SocketExtra>;
type Prepared = ExecutionArgs &
  PreparedOperation & { contextValue: Context; source: string; operationId: string; socket: EventSocket };

/** What happens at each step of the protocol. None of them may throw: graphql-ws would close with 4500, which is final. */
export function hooks(options: HookOptions): ServerOptions<Record<string, unknown>, SocketExtra> {
  const { app, connections, authenticate, liveness } = options;
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
        const prepared = prepare(options, socket, id, payload, context);
        if (prepared.operation.operation !== "subscription")
          socket.extra.running.whenEnded(options.underWay.begin(context.scope.principal));
        return prepared;
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
  } as ServerOptions<Record<string, unknown>, SocketExtra>;
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
  options: HookOptions,
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

async function start({ fanOut, log }: HookOptions, args: Prepared) {
  const field = eventField(args.operation, args.document);
  if (!field) return subscribe(args);
  try {
    const declared = args.schema.getSubscriptionType()!.getFields()[field.name.value]!;
    authoriseField(declared, args.contextValue.scope.principal);
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

/** Resolves when the text has left this process, or never will. */
export function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    // A peer that is gone is no error of ours: `close` follows and cleans up.
    if (socket.readyState !== socket.OPEN) return resolve();
    // It asks, and does not read the answers.
    if (socket.bufferedAmount > LIMITS.socketBufferBytes) socket.terminate();
    socket.send(text, () => resolve());
  });
}
