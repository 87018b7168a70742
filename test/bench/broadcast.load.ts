import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { load } from "./load-process.js";

export interface BroadcastInput {
  /** Sent one after the other, over and over. */
  texts: string[];
  /** Send all of them to everybody who connects, instead of one when told to. */
  onConnect?: boolean;
}

/** The limit of fan-out: a bare `ws` server that writes one text to every socket when it is told to. */
load<BroadcastInput, string>(async ({ texts, onConnect = false }, { onTold }) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(server, "listening");
  if (onConnect)
    server.on("connection", (socket) => {
      for (const text of texts) socket.send(text);
    });
  let sent = 0;
  onTold(() => {
    const text = texts[sent++ % texts.length]!;
    for (const socket of server.clients) socket.send(text);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
