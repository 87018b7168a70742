import { Socket } from "node:net";

/**
 * A socket on which everything that is written in one turn goes out in one system call. Each call wakes PostgreSQL, and on
 * a busy machine that takes longer than most of our statements: those that are sent together (BEGIN and the first one, the
 * last one and COMMIT) are one write, not one each.
 */
export function gatheringSocket(): Socket {
  const socket = new Socket();
  // `connect` puts the `write` of its class in place of any other.
  socket.once("connect", () => {
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
    let isGathering = false;
    const send = () => {
      isGathering = false;
      socket.uncork();
    };
    socket.write = (...args: unknown[]) => {
      if (!isGathering) {
        isGathering = true;
        socket.cork();
        // After the promises that are settled by now: what they send belongs to this turn.
        process.nextTick(send);
      }
      return write(...args);
    };
  });
  return socket;
}
