import { setTimeout as sleep } from "node:timers/promises";
import type { CountingSocket } from "./counting-socket.js";
import { load } from "./load-process.js";
import { needOpenFiles } from "./open-files.js";
import { subscribe } from "./subscribe.js";

export interface SubscribersInput {
  url: string;
  token?: string;
  count: number;
  seconds: number;
  /** Shared out among the sockets in turn. Absent: bare sockets. */
  subscriptions?: { query: string; variables?: object }[];
}

export interface SubscribersOutput {
  deliveriesPerSecond: number;
  bytesPerDelivery: number;
}

/** Says "ready", and then each message that reached the last of its sockets. */
load<SubscribersInput, SubscribersOutput>(async (input, { say }) => {
  const { url, token, count, seconds, subscriptions } = input;
  await needOpenFiles(count);
  let messages = 0;
  let bytes = 0;
  const onMessage = (size: number) => {
    messages++;
    bytes += size;
  };
  const socketOf = (i: number) => ({ url, token, payload: subscriptions?.[i % subscriptions.length] });
  const sockets: CountingSocket[] = [];
  for (let i = 0; i < count - 1; i += 100) {
    const some = Array.from({ length: Math.min(100, count - 1 - i) }, (_, j) => subscribe(socketOf(i + j), onMessage));
    sockets.push(...(await Promise.all(some)));
  }
  let isReady = false;
  sockets.push(
    await subscribe(socketOf(count - 1), (size, text) => {
      onMessage(size);
      if (isReady && text) say(text);
    }),
  );
  sockets.at(-1)!.keepBytes = Number.POSITIVE_INFINITY;
  // A subscription may begin with a message that says where it stands.
  await sleep(1000);
  isReady = true;
  say("ready");
  await sleep(1000);
  const before = { messages, bytes };
  const started = performance.now();
  await sleep(seconds * 1000);
  const elapsed = (performance.now() - started) / 1000;
  const received = messages - before.messages;
  const lost = sockets.filter(({ closed }) => closed).length;
  if (lost > 0) throw new Error(`${lost} of ${count} connections were lost`);
  return { deliveriesPerSecond: received / elapsed, bytesPerDelivery: (bytes - before.bytes) / Math.max(1, received) };
});
