import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { load } from "./load-process.js";

export interface SubscribersInput {
  url: string;
  token?: string;
  count: number;
  seconds: number;
  /** Absent: a bare socket that only counts. */
  query?: string;
}

/** Many sockets that count what they are sent. A bare client, so that the client is not what is measured. */
load<SubscribersInput, { perSecond: number; bytes: number }>(async ({ url, token, count, seconds, query }) => {
  let messages = 0;
  let bytes = 0;
  let counting = false;
  const open = async () => {
    const socket = new WebSocket(
      `${url.replace(/^http/, "ws")}${query ? "/graphql" : ""}`,
      query ? "graphql-transport-ws" : undefined,
      { perMessageDeflate: false },
    );
    await once(socket, "open");
    if (query) {
      socket.send(JSON.stringify({ type: "connection_init", payload: { authorization: `Bearer ${token}` } }));
      await once(socket, "message");
      socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query } }));
    }
    socket.on("message", (data: Buffer) => {
      bytes += data.length;
      if (++messages % count === 0 && counting) process.send!("round");
    });
    return socket;
  };
  const sockets: WebSocket[] = [];
  for (let i = 0; i < count; i += 50)
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(50, count - i) }, open))));
  // A subscription begins with a page that says where it stands.
  await sleep(1000);
  messages = 0;
  counting = true;
  process.send!("ready");
  await sleep(1000);
  const before = { messages, bytes };
  const started = performance.now();
  await sleep(seconds * 1000);
  const elapsed = (performance.now() - started) / 1000;
  const received = messages - before.messages;
  const average = (bytes - before.bytes) / Math.max(1, received);
  for (const socket of sockets) socket.terminate();
  return { perSecond: received / elapsed, bytes: Math.round(average) };
});
