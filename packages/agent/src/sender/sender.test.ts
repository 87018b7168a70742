import { type BatchAck, LIMITS, type ResultBatch } from "@poppo-ops/plugins/wire";
import { expect, onTestFinished, test, vi } from "vitest";
import { newId } from "../ids.js";
import { Spool } from "../spool/spool.js";
import { manualClock } from "../testing/manual-clock.js";
import { resultNamed } from "../testing/results.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { Sender } from "./sender.js";

/** A sender on a real spool, and a server that keeps the rules of the protocol and records what it got. */
function setUp({ poison = [] as string[] } = {}) {
  const folder = temporaryFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const clock = manualClock();
  const spool = Spool.open({ dir: folder.path, maxBytes: 64e6, maxAgeMs: 1e9, clock, newId, warn() {} });
  const server = { got: [] as string[], acked: 0, batches: [] as ResultBatch[], busy: 0, mostBusy: 0, failNext: 0 };
  const send = async (batch: ResultBatch): Promise<BatchAck> => {
    server.mostBusy = Math.max(server.mostBusy, ++server.busy);
    await new Promise((resolve) => setImmediate(resolve));
    server.busy--;
    if (server.failNext-- > 0) throw Object.assign(new Error("database is away"), { code: "INTERNAL" });
    const from = batch.gaps[0]?.from ?? batch.from;
    if (from > server.acked + 1)
      throw Object.assign(new Error("hole"), { code: "OUT_OF_ORDER", details: { expectedSeq: server.acked + 1 } });
    if (batch.results.some((r) => poison.includes(r.summary)))
      throw Object.assign(new Error("unreadable"), { code: "BAD_BATCH" });
    server.batches.push(batch);
    server.got.push(...batch.results.slice(server.acked + 1 - batch.from).map((r) => r.summary));
    server.acked = batch.from + batch.results.length - 1;
    return { ackedSeq: server.acked, window: 2, retryAfterMs: 0 };
  };
  const sender = new Sender({ spool, clock, random: () => 1, send, warn() {} });
  spool.onReady = () => sender.wake();
  const append = (count: number) => {
    for (let i = 0; i < count; i++) spool.append([resultNamed(`r${spool.head + 1}`)]);
  };
  return { spool, sender, server, append, clock };
}

const names = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `r${from + i}`);

test("a backlog arrives whole and in order, in full batches, never more than two under way", async () => {
  const { sender, server, append, spool } = setUp();
  append(3500);
  spool.flush();
  sender.connected(null, 0);
  await sender.drained();
  expect(server.got).toEqual(names(1, 3500));
  expect(server.mostBusy).toBe(2);
  expect(server.batches.every((batch) => batch.results.length <= LIMITS.batchRows)).toBe(true);
});

test("one result leaves without waiting for others", async () => {
  const { sender, server, append } = setUp();
  sender.connected(null, 0);
  append(1);
  await vi.waitFor(() => expect(server.got).toEqual(["r1"]));
});

test("after a failure everything unacknowledged is sent again, once", async () => {
  const { sender, server, append, clock, spool } = setUp();
  append(2500);
  spool.flush();
  server.failNext = 1;
  sender.connected(null, 0);
  await clock.advance(100);
  expect(server.got).toEqual([]);
  await clock.advance(64_000);
  await sender.drained();
  expect(server.got).toEqual(names(1, 2500));
});

test("a reconnect continues behind what the server has, though its acknowledgement never arrived", async () => {
  const { sender, server, append, spool } = setUp();
  sender.connected(null, 0);
  sender.disconnected();
  append(10);
  spool.flush();
  server.acked = 6;
  sender.connected(spool.epoch, 6);
  await sender.drained();
  expect(server.got).toEqual(names(7, 10));
});

test("a server restored from an older backup gets what is left and is told of the rest", async () => {
  const { sender, server, append, spool } = setUp();
  append(10);
  spool.flush();
  sender.connected(null, 0);
  await sender.drained();
  server.acked = 4;
  append(1);
  await vi.waitFor(() => expect(server.acked).toBe(11));
  expect(server.got.slice(-1)).toEqual(["r11"]);
});

test("one unreadable result does not hold up the others", async () => {
  const { sender, server, append, spool } = setUp({ poison: ["r700"] });
  append(2000);
  spool.flush();
  sender.connected(null, 0);
  await sender.drained();
  expect(server.got).toEqual([...names(1, 699), ...names(701, 2000)]);
  expect(server.batches.flatMap((batch) => batch.gaps)).toEqual([{ from: 700, to: 700, reason: "CORRUPT" }]);
});
