import { unwrap } from "./error.js";
import { type Event, type EventsOptions, events } from "./events.js";
import { createHttp, type Http, type HttpOptions } from "./http.js";
import { random as chance } from "./ids.js";
import { type OutputChunk, type OutputOptions, remediationOutput } from "./remediation-output.js";
import { createSocket, type SocketOptions } from "./socket.js";

export interface ClientOptions
  extends HttpOptions,
    Pick<SocketOptions, "webSocketImpl" | "random" | "keepAliveMs" | "onState"> {}

export interface Client extends Http {
  unwrap: typeof unwrap;
  /**
   * Follows what happens: every event once, in order, without a hole, through lost connections and server restarts.
   * Leaving the loop ends the subscription at once.
   * @throws {EventGapError} when the server cannot give every event after the cursor and there is no `onGap`
   * @throws {PoppoError} when going on makes no sense: the token was revoked, the filter is wrong
   */
  events(options?: EventsOptions): AsyncIterable<Event>;
  /**
   * Follows the output of a remediation run until it ends.
   * @throws {PoppoError} when there is no such run, or the token was revoked
   */
  remediationOutput(runId: string, options?: OutputOptions): AsyncIterable<OutputChunk>;
  /** Ends all loops and closes the connection. */
  close(): Promise<void>;
}

/** Everything a program needs to work with a Poppo Ops server; the socket opens with the first loop. */
export function createClient(given: ClientOptions): Client {
  const { random = chance, webSocketImpl, keepAliveMs, onState, ...options } = given;
  const { url, token } = options;
  const connectionParams = () => (token ? { authorization: `Bearer ${token}` } : {});
  const socket = createSocket({ url, connectionParams, webSocketImpl, random, keepAliveMs, onState });
  return {
    ...createHttp(options),
    unwrap,
    events: (given) => events(socket, random, given),
    remediationOutput: (runId, given) => remediationOutput(socket, random, runId, given),
    close: socket.close,
  };
}
