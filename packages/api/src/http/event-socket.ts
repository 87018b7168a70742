import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { EventSocket } from "../events/subscriber.js";
import { LIMITS } from "../graphql/limits.js";

/**
 * Frames that are made once for many sockets, written beside those of `ws`. Without compression `ws` too writes each frame
 * whole and at once, so the two never mix; after a close frame nothing may follow.
 */
export function eventSocket(socket: WebSocket, stream: Duplex): EventSocket {
  // Each operation may wait for "drain".
  stream.setMaxListeners(LIMITS.operationsPerSocket * 2);
  return {
    get bufferedAmount() {
      return stream.writableLength;
    },
    get isCongested() {
      return stream.writableNeedDrain;
    },
    writeFrame(pieces) {
      if (socket.readyState !== socket.OPEN) return;
      stream.cork();
      for (const piece of pieces) stream.write(piece);
      stream.uncork();
    },
    onDrain: (listener) => void stream.once("drain", listener),
    terminate: () => socket.terminate(),
  };
}
