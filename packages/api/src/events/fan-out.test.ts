import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../kernel/clock.js";
import { manualClock } from "../kernel/testing/manual-clock.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import { RecordingSocket } from "./testing/recording-socket.js";
import { append, type Reader, range, testFanOut } from "./testing/test-fan-out.js";

let app: TestApp;
beforeEach(async () => {
  app = await testApp();
});
afterEach(() => app[Symbol.asyncDispose]());

const poll = <T>(look: () => T) => expect.poll(look, { timeout: 10_000, interval: 5 });
const everybodyHas = (readers: Reader[], seqs: number[]) =>
  poll(() => readers.every((reader) => reader.seqs().length >= seqs.length))
    .toBe(true)
    .then(() => {
      for (const reader of readers) expect(reader.seqs()).toEqual(seqs);
    });

describe("one execution for all", () => {
  test("no page is rendered twice for equal subscribers, also those who come while others are served", async () => {
    await using t = await testFanOut(app);
    const readers = await Promise.all(Array.from({ length: 100 }, () => t.join(t.query())));
    readers[0]!.socket.onPage = () => {
      readers[0]!.socket.onPage = () => {};
      for (let i = 0; i < 50; i++) void t.join(t.query()).then((late) => readers.push(late));
    };
    for (let i = 0; i < 10; i++) await append(app, 1 + (i % 3));
    await everybodyHas(readers.slice(0, 100), range(1, 19));
    expect(new Set(t.rendered).size).toBe(t.rendered.length);
    await poll(() => t.fanOut.groupCount).toBe(1);
    expect(t.fanOut.subscriberCount).toBe(150);
  });

  test("a reconnect storm with different cursors shares its pages and ends as one group", async () => {
    await using t = await testFanOut(app);
    await append(app, 3000);
    await t.log.refresh();
    const joins = range(0, 59).map((i) => t.join(t.query(), encodeCursor({ epoch: t.log.epoch, seq: i * 20 })));
    const readers = await Promise.all(joins);
    for (const [i, reader] of readers.entries()) await everybodyHas([reader], range(i * 20 + 1, 3000));
    await poll(() => t.fanOut.groupCount).toBe(1);
    // 15 pages of 200, and one beginning per cursor.
    expect(t.rendered.length).toBeLessThan(15 + 60 + 2);
  });
});

test("writing to many, in one group or in many, lets everybody else in every few milliseconds", async () => {
  let now = 0;
  // A message takes a millisecond to write.
  await using t = await testFanOut(app, { ...systemClock, monotonic: () => now });
  const keys = [...range(1, 20).map(() => "all"), ...range(1, 20).map((i) => `query ${i}`)];
  const readers = await Promise.all(keys.map((key) => t.join(t.query(key))));
  const inTurns: number[] = [];
  let isCounting = false;
  for (const { socket } of readers)
    socket.onPage = () => {
      now++;
      if (!isCounting) setImmediate(() => (isCounting = false));
      isCounting = isCounting || inTurns.push(0) > 0;
      inTurns[inTurns.length - 1]!++;
    };
  await append(app, 1);
  await everybodyHas(readers, [1]);
  expect(Math.max(...inTurns)).toBeLessThanOrEqual(5);
});

describe("slow readers", () => {
  test("one that does not read does not hold the others of its catch-up", async () => {
    await using t = await testFanOut(app);
    await append(app, 3000);
    await t.log.refresh();
    const start = encodeCursor({ epoch: t.log.epoch, seq: 0 });
    const readers = await Promise.all(Array.from({ length: 20 }, () => t.join(t.query(), start)));
    const [slow, ...quick] = readers as [Reader, ...Reader[]];
    slow.socket.stopReading();
    await everybodyHas(quick, range(1, 3000));
    expect(slow.seqs().length).toBeLessThan(1000);
    slow.socket.readOn();
    await everybodyHas([slow], range(1, 3000));
    await poll(() => t.fanOut.groupCount).toBe(1);
  });

  test("one that stands still in its catch-up for 30 s is let go", async () => {
    const clock = manualClock();
    await using t = await testFanOut(app, clock);
    await append(app, 3000);
    await t.log.refresh();
    const socket = new RecordingSocket();
    socket.stopReading();
    await t.join(t.query(), encodeCursor({ epoch: t.log.epoch, seq: 0 }), socket);
    await poll(() => socket.pages.length).toBe(1);
    await clock.advance(29_000);
    expect(socket.terminated).toBe(false);
    await clock.advance(2_000);
    await poll(() => socket.terminated).toBe(true);
    await poll(() => t.fanOut.groupCount).toBe(0);
  });

  test("one that stops reading a live subscription is cut off with its cursor, and what is queued stays bounded", async () => {
    await using t = await testFanOut(app);
    const query = t.query("padded", 10_000);
    const [slow, quick] = [await t.join(query), await t.join(query)];
    slow.socket.stopReading();
    const ended = slow.subscriber.next().catch((error) => error);
    for (let i = 1; i <= 200; i++) {
      await append(app, 1);
      await poll(() => quick.seqs().at(-1)).toBe(i);
    }
    const { originalError } = await ended;
    expect(originalError.code).toBe("SLOW_CONSUMER");
    const last = slow.seqs().at(-1)!;
    expect(decodeCursor(originalError.details.lastCursor)).toEqual({ epoch: t.log.epoch, seq: last });
    expect(slow.seqs()).toEqual(range(1, last));
    expect(slow.socket.bufferedAmount).toBeLessThan(1024 * 1024 + 20_000);
    expect(quick.seqs()).toEqual(range(1, 200));

    const resumed = await t.join(query, originalError.details.lastCursor);
    await everybodyHas([resumed], range(last + 1, 200));
  });

  test("a thousand small pages that nobody reads are the bound too", async () => {
    await using t = await testFanOut(app);
    const [slow, quick] = [await t.join(t.query()), await t.join(t.query())];
    slow.socket.stopReading();
    const ended = slow.subscriber.next().catch((error) => error);
    for (let i = 1; i <= 1010; i++) {
      await append(app, 1);
      await t.log.refresh();
    }
    await poll(() => quick.seqs().at(-1)).toBe(1010);
    expect((await ended).originalError.code).toBe("SLOW_CONSUMER");
    expect(slow.socket.pages.length).toBeLessThanOrEqual(1000);
  });
});

describe("coming and going", () => {
  test("one that leaves in the middle of a slice gets nothing more; the others get everything", async () => {
    await using t = await testFanOut(app);
    const readers: Reader[] = [];
    for (let i = 0; i < 600; i++) readers.push(await t.join(t.query()));
    const leaves = readers[500]!;
    readers[3]!.socket.onPage = () => void leaves.subscriber.return();
    const before = leaves.socket.pages.length;
    await append(app, 5);
    await everybodyHas(
      readers.filter((reader) => reader !== leaves),
      range(1, 5),
    );
    expect(leaves.socket.pages.length).toBe(before);
    expect(t.fanOut.subscriberCount).toBe(599);
  });

  test("when all have left nothing is kept of them", async () => {
    await using t = await testFanOut(app);
    await append(app, 1000);
    await t.log.refresh();
    const start = encodeCursor({ epoch: t.log.epoch, seq: 0 });
    const readers = await Promise.all(range(1, 30).map((i) => t.join(t.query(`q${i % 5}`), i % 2 ? start : null)));
    expect(t.fanOut.subscriberCount).toBe(30);
    await Promise.all(readers.map((reader) => reader.subscriber.return()));
    await poll(() => [t.fanOut.subscriberCount, t.fanOut.groupCount]).toEqual([0, 0]);
  });

  test("one that left before it was placed is not kept", async () => {
    await using t = await testFanOut(app);
    const reader = t.join(t.query());
    const { subscriber } = await reader;
    await subscriber.throw(new Error("gone")).catch(() => {});
    await expect(subscriber.next()).rejects.toThrow("gone");
    await poll(() => t.fanOut.groupCount).toBe(0);
  });
});

test("an idle subscriber hears every 20 s where it stands", async () => {
  const clock = manualClock();
  await using t = await testFanOut(app, clock);
  await append(app, 3);
  await t.log.refresh();
  const reader = await t.join(t.query());
  expect(reader.socket.pages).toEqual([{ seqs: [], to: 3, caughtUp: true }]);
  await clock.advance(19_000);
  expect(reader.socket.pages).toHaveLength(1);
  await clock.advance(2_000);
  await poll(() => reader.socket.pages).toEqual([
    { seqs: [], to: 3, caughtUp: true },
    { seqs: [], to: 3, caughtUp: true },
  ]);
});

test("a page that cannot be rendered now is rendered later; nothing is skipped", async () => {
  await using t = await testFanOut(app);
  const query = t.query();
  const { render } = query;
  let failures = 0;
  query.render = async (events, to, caughtUp) => {
    if (events.length > 0 && ++failures <= 1) throw new Error("the database is away");
    return render(events, to, caughtUp);
  };
  const reader = await t.join(query);
  await append(app, 2);
  await append(app, 2);
  await everybodyHas([reader], range(1, 4));
});

describe("a restored database", () => {
  const restoreTo = async (head: number) => {
    await app.database.pool.query("ALTER TABLE events DISABLE TRIGGER ALL");
    await app.database.pool.query("DELETE FROM events WHERE seq > $1", [head]);
    await app.database.pool.query("ALTER TABLE events ENABLE TRIGGER ALL");
    await app.database.pool.query("UPDATE event_head SET head = $1, epoch = gen_random_uuid()", [head]);
  };

  test.each([
    ["to an earlier point", 2],
    ["to the very point where the reader stands", 5],
  ])("%s: a gap is told, and everything it holds follows", async (_what, head) => {
    const clock = manualClock();
    await using t = await testFanOut(app, clock);
    const reader = await t.join(t.query());
    await append(app, 5);
    await everybodyHas([reader], range(1, 5));
    await restoreTo(head);
    await clock.advance(1000);
    await poll(() => reader.socket.pages.some((page) => page.gap === "EPOCH_CHANGED")).toBe(true);
    await everybodyHas([reader], [...range(1, 5), ...range(1, head)]);
    await append(app, 1);
    await everybodyHas([reader], [...range(1, 5), ...range(1, head + 1)]);
  });

  test("is not imagined when the poll and a read of new events meet", async () => {
    const clock = manualClock();
    await using t = await testFanOut(app, clock);
    const reader = await t.join(t.query());
    for (let i = 0; i < 100; i++) await Promise.all([append(app, 1), clock.advance(1000), append(app, 1)]);
    await everybodyHas([reader], range(1, 200));
    expect(reader.socket.pages.filter((page) => page.gap)).toEqual([]);
  });
});
