import type { IncomingMessage, Server } from "node:http";
import { CLOSE } from "@poppo-ops/plugins/wire";
import { CloseCode, type GRAPHQL_TRANSPORT_WS_PROTOCOL, handleProtocols, makeServer } from "graphql-ws";
import { WebSocketServer } from "ws";
import { LIMITS } from "../graphql/limits.js";
import type { App } from "../kernel/app.js";
import type { Admission } from "./admission.js";
import { Liveness } from "./liveness.js";
import { originIsAllowed } from "./origin.js";
import { RunningOperations } from "./running-operations.js";
import { type HookOptions, hooks, type SocketExtra, send } from "./socket-hooks.js";

export interface SocketOptions extends Omit<HookOptions, "liveness"> {
  http: Server;
  admission: Admission;
}

/** What RFC 6455, graphql-transport-ws and we ourselves close with; a client may invent 2,000 more. */
const CLOSE_CODES = new Set([
  ...[1000, 1001, 1002, 1005, 1006, 1007, 1008, 1009, 1011],
  ...[4400, 4401, 4403, 4406, 4408, 4409, 4410, 4429, 4500, 4503],
]);

/**
 * Handshakes of one turn of the event loop. Of thousands who come back in one moment each is followed by a proof of identity
 * and a subscription; those who are here already would wait for all of them.
 */
const UPGRADES_PER_TURN = 32;

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
  const core = makeServer<Record<string, unknown>, SocketExtra>(hooks({ ...options, liveness }));
  liveness.start();

  http.on("upgrade", (request, stream, head) => {
    // Nobody else listens to it until `ws` does, and an error that nobody hears ends the process.
    stream.on("error", (error) => app.log.debug({ err: error }, "upgrade failed"));
    const refusal = upgradeRefusal(request) ?? (admission.admit() ? null : TRY_LATER);
    if (refusal) return stream.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    const upgrade = () =>
      sockets.handleUpgrade(request, stream, head, (socket) =>
        bind(core, { socket, stream, running: new RunningOperations() }, app),
      );
    if (waiting.push(upgrade) === 1) setImmediate(upgradeSome);
  });
  const waiting: (() => void)[] = [];
  const upgradeSome = () => {
    for (const upgrade of waiting.splice(0, UPGRADES_PER_TURN)) upgrade();
    if (waiting.length > 0) setImmediate(upgradeSome);
  };

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

function bind(
  core: ReturnType<typeof makeServer<Record<string, unknown>, SocketExtra>>,
  extra: SocketExtra,
  app: App,
): void {
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
