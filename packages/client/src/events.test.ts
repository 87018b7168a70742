import { GraphQLError } from "graphql";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Client, createClient } from "./client.js";
import type { SocketState } from "./connection.js";
import { type Event, EventGapError, type EventsOptions } from "./events.js";
import { BUFFERED } from "./feed.js";
import { FakeLog } from "./testing/fake-log.js";
import { type FakeServer, startFakeServer } from "./testing/fake-server.js";

let log: FakeLog;
let server: FakeServer;
let client: Client;
let states: SocketState[];
let refuse: number | undefined;

beforeEach(async () => {
  log = new FakeLog();
  states = [];
  refuse = undefined;
  server = await startFakeServer({ roots: log.roots, refuseWith: () => refuse });
  client = createClient({ url: server.url, token: "t", random: () => 0, onState: (state) => states.push(state) });
});

afterEach(async () => {
  await client.close();
  await server.stop();
});

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `event ${from + i}`);

async function take(
  count: number,
  options?: EventsOptions,
  onEvent: (event: Event, seen: number) => unknown = () => {},
) {
  const seen: string[] = [];
  for await (const event of client.events(options)) {
    seen.push(event.summary);
    await onEvent(event, seen.length);
    if (seen.length >= count) break;
  }
  return seen;
}

describe("a loop over events", () => {
  test("sees each event exactly once, in order, however often the connection breaks", async () => {
    log.append(500);
    const seen = await take(500, { after: log.cursor(0) }, (_, n) => n % 23 === 0 && server.drop());
    expect(seen).toEqual(numbers(1, 500));
    expect(server.asked("IncidentEvents").length).toBeGreaterThan(5);
  });

  test("drops what a server sends a second time", async () => {
    log.append(40);
    let repeated = 0;
    log.interfere = (position) => {
      if (position === 0 || repeated++ % 2) return undefined;
      return { events: log.between(Math.max(0, position - 10), position), cursor: log.cursor(position) };
    };
    expect(await take(40, { after: log.cursor(0) })).toEqual(numbers(1, 40));
    expect(repeated).toBeGreaterThan(2);
  });

  test("starts from now when no cursor is given, and does not lose what happens while it reconnects", async () => {
    log.append(3);
    const loop = take(4, {}, (_, n) => {
      if (n === 2) {
        server.drop();
        log.append(2);
      }
    });
    await vi.waitFor(() => expect(log.open).toBe(1));
    log.append(2);
    expect(await loop).toEqual(numbers(4, 7));
  });

  test("goes on when the server comes back on the same port", async () => {
    log.append(10);
    const loop = take(20, { after: log.cursor(0) });
    await vi.waitFor(() => expect(log.open).toBe(1));
    await server.stop();
    log.append(10);
    server = await startFakeServer({ roots: log.roots, port: server.port });
    expect(await loop).toEqual(numbers(1, 20));
  });

  test("resumes by itself when it is cut off as a slow consumer", async () => {
    log.append(30);
    let cuts = 0;
    log.interfere = (position) => {
      if (position < 14 || cuts++ >= 3) return undefined;
      throw new GraphQLError("too slow", { extensions: { code: "SLOW_CONSUMER", lastCursor: log.cursor(position) } });
    };
    expect(await take(30, { after: log.cursor(0) })).toEqual(numbers(1, 30));
    expect(server.asked("IncidentEvents")).toHaveLength(4);
  });

  test("stays away for as long as the server asks", async () => {
    log.append(2);
    const askedAt: number[] = [];
    log.interfere = () => {
      if (askedAt.push(performance.now()) > 1) return undefined;
      throw new GraphQLError("busy", { extensions: { code: "TOO_MANY_REQUESTS", retryAfterMs: 300 } });
    };
    expect(await take(2, { after: log.cursor(0) })).toEqual(numbers(1, 2));
    expect(askedAt[1]! - askedAt[0]!).toBeGreaterThanOrEqual(299);
  });

  test("throws a gap after the events before it", async () => {
    log.append(7);
    const oldestCursor = log.cursor(100);
    log.interfere = (position) => (position < 7 ? undefined : gapPage(oldestCursor));
    const seen: string[] = [];
    const loop = async () => {
      for await (const event of client.events({ after: log.cursor(0) })) seen.push(event.summary);
    };
    const error = await loop().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(EventGapError);
    expect(error).toMatchObject({ reason: "EPOCH_CHANGED", oldestCursor, lastCursor: log.cursor(7) });
    expect(seen).toEqual(numbers(1, 7));
  });

  test("tells onGap and goes on from the oldest event, also into another epoch", async () => {
    log.append(5);
    const before = log.cursor(99);
    log.interfere = () => {
      log.interfere = () => undefined;
      return gapPage(log.cursor(0));
    };
    log.epoch = "22222222-2222-4222-8222-222222222222";
    const gaps: EventGapError[] = [];
    expect(await take(3, { after: before, onGap: (gap) => gaps.push(gap) })).toEqual(numbers(1, 3));
    expect(gaps.map((gap) => gap.lastCursor)).toEqual([before]);
  });

  test("unsubscribes at once on break", async () => {
    log.append(5);
    await take(1, { after: log.cursor(0) });
    await vi.waitFor(() => expect(log.open).toBe(0));
    await vi.waitFor(() => expect(server.clients()).toHaveLength(0));
  });

  test("ends when its signal aborts, though nothing happens on the server", async () => {
    const stop = new AbortController();
    const loop = take(1, { signal: stop.signal });
    await vi.waitFor(() => expect(log.open).toBe(1));
    stop.abort();
    expect(await loop).toEqual([]);
    await vi.waitFor(() => expect(log.open).toBe(0));
  });

  test("holds a bounded number of events for a slow reader, and misses none of them", async () => {
    const total = BUFFERED * 4;
    log.pageSize = 100;
    log.append(total);
    const seen = await take(total, { after: log.cursor(0) }, async (_, n) => {
      // The reader rests until the loop has stopped taking more.
      if (n === 1) await vi.waitFor(() => expect(log.open).toBe(0));
    });
    expect(seen).toEqual(numbers(1, total));
    const resumedAfter = server.asked("IncidentEvents").map(({ variables }) => variables.after);
    expect(resumedAfter[1]).toBe(log.cursor(BUFFERED + 100));
  });

  test("throws what makes going on senseless", async () => {
    log.interfere = () => {
      throw new GraphQLError("no such type", { extensions: { code: "BAD_INPUT", requestId: "r1" } });
    };
    await expect(take(1)).rejects.toMatchObject({ code: "BAD_INPUT", message: "no such type", requestId: "r1" });
  });

  test("throws when the server revokes the token, and says that this is final", async () => {
    const loop = take(1);
    await vi.waitFor(() => expect(log.open).toBe(1));
    server.close(4403, "the token was revoked");
    await expect(loop).rejects.toMatchObject({ code: "UNAUTHENTICATED", retryable: false });
    expect(states.at(-1)).toMatchObject({ kind: "closed", code: 4403, final: true });
    await expect(take(1)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(server.connectionParams).toEqual([{ authorization: "Bearer t" }]);
  });

  test("runs several loops over one client, each with its own place", async () => {
    log.append(20);
    const [a, b] = await Promise.all([take(20, { after: log.cursor(0) }), take(5, { after: log.cursor(15) })]);
    expect(a).toEqual(numbers(1, 20));
    expect(b).toEqual(numbers(16, 20));
    expect(server.connectionParams).toHaveLength(1);
  });
});

const gapPage = (oldestCursor: string) => ({
  events: [],
  cursor: oldestCursor,
  caughtUp: false,
  gap: { reason: "EPOCH_CHANGED", oldestCursor },
});
