import { setTimeout as sleep } from "node:timers/promises";
import { load } from "./load-process.js";
import { needOpenFiles } from "./open-files.js";
import { type Subscription, subscribe } from "./subscribe.js";

export interface ResumeInput extends Subscription {
  count: number;
  /** A message that begins with this text says that its reader is live. Absent: the `messages`-th does. */
  live?: string;
  messages?: number;
}

export interface ResumeOutput {
  /** Until everybody was live. */
  seconds: number;
  /** What the last subscriber was sent. */
  texts: string[];
}

/** Enough to see whether the page is the last one. */
const BEGINNING = 100;

/** Connects everybody, says "connected", and when it is told to, connects everybody again in one moment. */
load<ResumeInput, ResumeOutput>(async ({ count, live, messages, ...subscription }, { say, onTold }) => {
  await needOpenFiles(count);
  const resumed = new Promise<void>((resolve) => onTold(() => resolve()));
  if (live) await connectAll(count, { ...subscription, payload: { ...subscription.payload!, variables: {} } });
  say("connected");
  await resumed;
  const started = performance.now();
  const texts: string[] = [];
  const until = (text: string, heard: number) => (live ? text.includes(live) : heard === messages);
  const everybody = Array.from({ length: count }, (_, i) => {
    const isLast = i === count - 1;
    return resume(subscription, isLast ? Number.POSITIVE_INFINITY : BEGINNING, (text, heard) => {
      if (isLast) texts.push(text);
      return until(text.slice(0, BEGINNING), heard);
    });
  });
  await Promise.all(everybody);
  return { seconds: (performance.now() - started) / 1000, texts };
});

/** Everybody is connected, and resolved to when every connection has ended again is nobody's business here. */
async function connectAll(count: number, subscription: Subscription): Promise<void> {
  for (let i = 0; i < count; i += 100)
    await Promise.all(Array.from({ length: Math.min(100, count - i) }, () => subscribe(subscription, () => {})));
}

/** Connects, again if it must, until it has been sent what makes it live. */
async function resume(
  subscription: Subscription,
  keepBytes: number,
  isLive: (text: string, heard: number) => boolean,
): Promise<void> {
  for (;;) {
    const isDone = await attempt(subscription, keepBytes, isLive).catch(() => false);
    if (isDone) return;
    await sleep(50);
  }
}

function attempt(
  subscription: Subscription,
  keepBytes: number,
  isLive: (text: string, heard: number) => boolean,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let heard = 0;
    const onMessage = (_bytes: number, text: string) => {
      if (isLive(text, ++heard)) resolve(true);
    };
    subscribe(subscription, onMessage, { keepBytes, onClose: () => resolve(false) }).catch(reject);
  });
}
