import { type Client, createClient } from "graphql-ws/client";
import type { Backoff } from "./backoff.js";
import { PoppoError } from "./error.js";
import { graphqlUrl } from "./http.js";
import { lazyWebSocket } from "./web-socket.js";

/** The server's close code for "revoked or expired; do not come back with the same credential". */
export const CLOSE_REVOKED = 4403;

const CONNECT_WITHIN_MS = 15_000;

export interface SocketState {
  kind: "connecting" | "connected" | "closed";
  /** With `closed`: the WebSocket close code and reason. 1006: the connection broke or never came about. */
  code?: number;
  reason?: string;
  /** With `closed`: what kept the connection from coming about, if known. */
  error?: unknown;
  /** With `closed`: the socket will not try again. */
  final?: boolean;
}

export interface ConnectionOptions {
  /** The server's base, as `http://127.0.0.1:3000`. */
  url: string;
  /** Asked before every connection, so a short-lived assertion is always fresh. */
  connectionParams: () => Record<string, unknown> | Promise<Record<string, unknown>>;
  /** A WebSocket class; defaults to the platform's, else to the `ws` package. */
  webSocketImpl?: unknown;
  /** How often a quiet connection is pinged, in milliseconds (default 10,000); half of it unanswered and it is given up. */
  keepAliveMs?: number;
  backoff: Backoff;
  onState: (state: SocketState) => void;
}

/** graphql-ws's client, told to come back for ever, to notice a dead peer, and to say how it stands. */
export function createConnection(options: ConnectionOptions): Client {
  const { url, connectionParams, webSocketImpl, keepAliveMs = 10_000, backoff, onState } = options;
  const address = graphqlUrl(url).replace(/^http/, "ws");
  const webSocket = lazyWebSocket(webSocketImpl);
  const pong = alarm(keepAliveMs / 2, () => client.terminate());
  const connect = alarm(CONNECT_WITHIN_MS, () => client.terminate());
  let operations = 0;
  let error: unknown;
  const client = createClient({
    url: async () => {
      await webSocket.load();
      return address;
    },
    webSocketImpl: webSocket.webSocketImpl,
    connectionParams,
    keepAlive: keepAliveMs,
    generateID: () => String(++operations),
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: () => backoff.wait(),
    shouldRetry: (cause) => !isFinal(cause),
    on: {
      connecting() {
        error = undefined;
        connect.set();
        onState({ kind: "connecting" });
      },
      connected() {
        connect.clear();
        onState({ kind: "connected" });
      },
      ping: (received) => !received && pong.set(),
      pong(received) {
        if (!received) return;
        pong.clear();
        // An answered ping is the proof of a connection that lived; a server that accepts and drops does not get that far.
        backoff.reset();
      },
      error(cause) {
        error = cause;
      },
      closed(event) {
        connect.clear();
        pong.clear();
        const { code, reason } = event as { code?: number; reason?: string };
        onState({ kind: "closed", code, reason, error, final: isFinal(event) });
      },
    },
  });
  return client;
}

const isFinal = (cause: unknown): boolean => (cause as { code?: unknown } | null)?.code === CLOSE_REVOKED;

/** What a connection's end means to the operations on it. */
export function closedError({ code, reason, error, final }: SocketState): PoppoError {
  const details = { closeCode: code };
  if (final)
    return new PoppoError("UNAUTHENTICATED", `The server refused the credential: ${reason || "revoked"}`, { details });
  const why = (error as { message?: string } | undefined)?.message || [code, reason].filter(Boolean).join(" ");
  return new PoppoError("CONNECTION_LOST", `The connection ended before the answer came: ${why}`, {
    details,
    cause: error,
  });
}

function alarm(afterMs: number, act: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const clear = () => clearTimeout(timer);
  return {
    clear,
    set() {
      clear();
      timer = setTimeout(act, afterMs);
    },
  };
}
