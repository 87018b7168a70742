import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

/** The limit of fan-out: a bare `ws` server that writes one text to every socket when it is told to. */
process.once("message", async (input) => {
  const { bytes } = input as { bytes: number };
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(server, "listening");
  const text = "x".repeat(bytes);
  process.on("message", () => {
    for (const socket of server.clients) socket.send(text);
  });
  process.send!({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
