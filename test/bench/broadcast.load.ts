import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

/** The limit of fan-out: a bare `ws` server that writes one text to every socket, again when all of it has left. */
process.once("message", async (input) => {
  const { bytes } = input as { bytes: number };
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(server, "listening");
  process.send!({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const text = "x".repeat(bytes);
  for (;;) {
    const sockets = [...server.clients];
    let written = 0;
    for (const socket of sockets) {
      socket.send(text);
      if (++written % 250 === 0) await new Promise(setImmediate);
    }
    while (sockets.some((socket) => socket.bufferedAmount > 0)) await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
});
