import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { gatheringSocket } from "./gathering-socket.js";

async function connected() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = gatheringSocket();
  /** How many pieces each system call was given. */
  const calls: number[] = [];
  const { _write: one, _writev: several } = socket;
  socket._write = (...args) => {
    calls.push(1);
    one.apply(socket, args);
  };
  socket._writev = (chunks, done) => {
    calls.push(chunks.length);
    several!.call(socket, chunks, done);
  };
  const accepted = once(server, "connection") as Promise<[Socket]>;
  socket.connect((server.address() as { port: number }).port, "127.0.0.1");
  await once(socket, "connect");
  const [peer] = await accepted;
  return {
    socket,
    calls,
    async received() {
      socket.end();
      return Buffer.concat(await peer.toArray()).toString();
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      server.close();
    },
  };
}

test("what is written in one turn goes out in one call, also what settled promises write", async () => {
  await using it = await connected();
  it.socket.write("BEGIN ");
  it.socket.write("SELECT ");
  await Promise.resolve();
  it.socket.write("COMMIT");
  await turn();
  expect(it.calls).toEqual([3]);
  expect(await it.received()).toBe("BEGIN SELECT COMMIT");
});

test("the next turn has a call of its own, and what was written before the end arrives", async () => {
  await using it = await connected();
  it.socket.write("a");
  await turn();
  it.socket.write("b");
  await turn();
  expect(it.calls).toEqual([1, 1]);
  it.socket.write("c");
  expect(await it.received()).toBe("abc");
});
