import type { App } from "../../kernel/app.js";
import { type Clock, systemClock } from "../../kernel/clock.js";
import { act } from "../../kernel/command.js";
import type { TestApp } from "../../kernel/testing/test-app.js";
import { EventLog } from "../event-log.js";
import { FanOut } from "../fan-out.js";
import type { SharedQuery } from "../reader-group.js";
import { Subscriber } from "../subscriber.js";
import { RecordingSocket } from "./recording-socket.js";

export interface TestFanOut extends AsyncDisposable {
  log: EventLog;
  fanOut: FanOut;
  /** Pages rendered, as `<key> <first>-<to>`. */
  rendered: string[];
  /** A query that renders a page as `{ seqs, to, caughtUp }`. `size` pads every event. */
  query(key?: string, size?: number): SharedQuery;
  join(query: SharedQuery, after?: string | null, socket?: RecordingSocket): Promise<Reader>;
}

export interface Reader {
  socket: RecordingSocket;
  subscriber: Subscriber;
  /** The events that came, in order. */
  seqs(): number[];
}

/** A log and its fan-out on a real database, with readers that record. */
export async function testFanOut(app: TestApp, clock: Clock = systemClock): Promise<TestFanOut> {
  const parts: App = { ...app, clock };
  const log = new EventLog(parts);
  await log.start();
  const fanOut = new FanOut(parts, log);
  fanOut.start();
  const rendered: string[] = [];
  return {
    log,
    fanOut,
    rendered,
    query: (key = "all", size = 0) => ({
      key,
      matches: () => true,
      async render(events, to, caughtUp) {
        if (events[0]) rendered.push(`${key} ${events[0].seq}-${to.seq}`);
        return JSON.stringify({
          seqs: events.map((event) => event.seq),
          to: to.seq,
          caughtUp,
          ...(size && { padding: "x".repeat(size * events.length) }),
        });
      },
      renderGap: async (gap) => JSON.stringify({ seqs: [], gap }),
    }),
    async join(query, after = null, socket = new RecordingSocket()) {
      const subscriber = new Subscriber(socket, "1");
      await fanOut.join(subscriber, query, after);
      return { socket, subscriber, seqs: () => socket.pages.flatMap((page) => page.seqs as number[]) };
    },
    async [Symbol.asyncDispose]() {
      await fanOut.stop();
      await log.stop();
    },
  };
}

/** Appends that many events in one transaction. */
export const append = (app: TestApp, count: number): Promise<void> =>
  act(app.as("ADMIN"), async ({ emit }) => {
    for (let i = 0; i < count; i++) emit({ type: "test.noted", summary: `${i}` });
  });

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
