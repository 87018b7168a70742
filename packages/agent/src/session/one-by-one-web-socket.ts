import { WebSocket } from "ws";

/**
 * Gives each message a turn of its own. When an answer and its `complete` arrive in one packet, graphql-ws releases an
 * operation twice that was unsubscribed inside its `next`, counts one operation too few, and closes the connection
 * under the session.
 */
export class OneByOneWebSocket extends WebSocket {
  constructor(url: string, protocols: string) {
    super(url, protocols, { allowSynchronousEvents: false });
  }
}
