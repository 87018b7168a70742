import { createBackoff } from "./backoff.js";
import { type ConnectionOptions, closedError, createConnection, type SocketState } from "./connection.js";
import { fromGraphqlErrors, type GraphqlErrorLike, PoppoError } from "./error.js";
import type { TypedDocumentString } from "./generated/graphql.js";
import type { RequestOptions } from "./http.js";
import { random as chance } from "./ids.js";

/** How long `close()` waits for the peer to say goodbye too. */
const FAREWELL_MS = 1_000;

export interface SocketOptions
  extends Pick<ConnectionOptions, "url" | "connectionParams" | "webSocketImpl" | "keepAliveMs"> {
  /** From 0 to 1; spreads the reconnects. */
  random?: () => number;
  onState?: (state: SocketState) => void;
}

export interface Sink<Data> {
  next(data: Data): void;
  /** The operation ended with an error; nothing follows. */
  error(error: PoppoError): void;
  /** The server ended the operation; nothing follows. */
  complete(): void;
}

export interface Socket {
  /**
   * One answer over the socket. Waits for the connection; when one ends before the answer came, rejects with
   * CONNECTION_LOST, since only the caller knows whether sending again is safe.
   * @throws {PoppoError}
   */
  execute<Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    variables?: Variables,
    options?: RequestOptions,
  ): Promise<Data>;
  /**
   * A stream of answers over as many connections as it takes. The very object given as `variables` is sent again
   * after each reconnect: change it in place to go on from where the stream stood. Returns the way to end it.
   */
  subscribe<Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    variables: Variables,
    sink: Sink<Data>,
  ): () => void;
  /** Drops the connection without ceremony and connects again. */
  terminate(): void;
  /** Ends every operation (CLOSED) and the connection. Idempotent. */
  close(): Promise<void>;
}

/**
 * GraphQL over one WebSocket, which is open while there is an operation and reconnects for ever, with full jitter in
 * doubling windows of 1 to 64 s. A peer that leaves a ping unanswered is given up. Only the close code 4403 is final.
 */
export function createSocket({ random = chance, onState, ...options }: SocketOptions): Socket {
  const backoff = createBackoff(random);
  const operations = new Set<Operation>();
  let connected = false;
  let onClosed = () => {};
  let closing: Promise<void> | undefined;
  let ended: PoppoError | undefined;

  const connection = createConnection({
    ...options,
    backoff,
    onState(state) {
      connected = state.kind === "connected";
      if (state.kind === "closed") {
        const error = closedError(state);
        if (state.final) ended ??= error;
        for (const operation of [...operations]) operation.connectionLost(error);
        onClosed();
      }
      onState?.(state);
    },
  });

  function start<Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    variables: Variables | undefined,
    sink: Sink<Data>,
    connectionLost: (error: PoppoError) => void = () => {},
  ): () => void {
    let live = true;
    let unsubscribe = () => {};
    const operation: Operation = { connectionLost, fail: (error) => finish(() => sink.error(error)) };
    const finish = (tell: () => void) => {
      if (!live) return;
      live = false;
      operations.delete(operation);
      // In a turn of its own: an answer and its `complete` may come in one packet, and graphql-ws counts an operation
      // twice as ended that is unsubscribed inside its `next`; it then closes the connection under the others.
      setTimeout(() => unsubscribe());
      tell();
    };
    const payload = { query: document.toString(), variables: variables as Record<string, unknown> };
    const open = () => {
      if (!live) return;
      unsubscribe = connection.subscribe<Data>(payload, {
        next({ data, errors }) {
          if (!live) return;
          if (errors?.length) operation.fail(fromGraphqlErrors(errors));
          else if (data) sink.next(data);
        },
        error(cause) {
          if (ended) operation.fail(ended);
          else if (isErrors(cause)) operation.fail(fromGraphqlErrors(cause));
          // graphql-ws gives up for good at some close codes (1009, 4500 …); a server that is mended must find us again.
          else void backoff.wait().then(open);
        },
        complete: () => finish(sink.complete),
      });
    };
    if (ended) {
      live = false;
      sink.error(ended);
    } else {
      operations.add(operation);
      open();
    }
    return () => finish(() => {});
  }

  return {
    execute: (document, variables, { signal } = {}) =>
      new Promise((resolve, reject) => {
        const abort = () => fail(new PoppoError("ABORTED", "The operation was aborted"));
        const settle = (act: () => void) => {
          signal?.removeEventListener("abort", abort);
          stop();
          act();
        };
        const fail = (error: PoppoError) => settle(() => reject(error));
        let stop = () => {};
        if (signal?.aborted) return abort();
        signal?.addEventListener("abort", abort, { once: true });
        const complete = () => fail(new PoppoError("BAD_RESPONSE", "The server ended the operation without an answer"));
        stop = start(document, variables, { next: (data) => settle(() => resolve(data)), error: fail, complete }, fail);
      }),
    subscribe: (document, variables, sink) => start(document, variables, sink),
    terminate: () => connection.terminate(),
    close: () => (closing ??= shutdown()),
  };

  async function shutdown(): Promise<void> {
    ended ??= new PoppoError("CLOSED", "The socket was closed");
    for (const operation of [...operations]) operation.fail(ended);
    backoff.cancel();
    // Disposing awaits a connection that is coming about, which may never come.
    if (!connected) return connection.terminate();
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve;
    });
    const hung = setTimeout(() => {
      connection.terminate();
      onClosed();
    }, FAREWELL_MS);
    try {
      await connection.dispose();
    } catch {
      // The connection has just broken and the library is at its next attempt, which is not wanted any more.
      connection.terminate();
    }
    await closed;
    clearTimeout(hung);
  }
}

interface Operation {
  fail(error: PoppoError): void;
  connectionLost(error: PoppoError): void;
}

const isErrors = (cause: unknown): cause is readonly GraphqlErrorLike[] => Array.isArray(cause);
