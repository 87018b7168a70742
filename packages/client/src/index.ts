export { backOffMs } from "./backoff.js";
export { type Client, type ClientOptions, createClient } from "./client.js";
export { CLOSE_REVOKED, type SocketState } from "./connection.js";
export { PoppoError, TRANSPORT_CODES, type UserErrorLike, unwrap } from "./error.js";
export { type Event, EventGapError, type EventsOptions } from "./events.js";
export * from "./generated/graphql.js";
export { createHttp, type Http, type HttpOptions, type RequestOptions } from "./http.js";
export type { OutputChunk, OutputOptions } from "./remediation-output.js";
export { createSocket, type Sink, type Socket, type SocketOptions } from "./socket.js";
