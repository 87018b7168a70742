import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { LIMITS, type Result, type ResultBatch, type SpoolGap } from "@poppo-ops/plugins/wire";
import type { Clock } from "../clock.js";
import { Gaps } from "./gaps.js";
import { readMark, writeMark } from "./mark.js";
import { type Record, Segment } from "./segment.js";

export interface SpoolOptions {
  dir: string;
  maxBytes: number;
  maxAgeMs: number;
  clock: Clock;
  newId(): string;
  /** Told about loss and about trouble with the disk, once per event. */
  warn(message: string, details?: object): void;
  segmentBytes?: number;
}

const SEGMENT_BYTES = 1024 * 1024;
/** How many results wait in memory while the disk takes none. */
const WAITING = { rows: 1000, bytes: 1024 * 1024 };
const SYNC_EVERY_MS = 1000;

/**
 * The agent's results on their way to the server, on disk in the folder `<dir>/<epoch>`.
 *
 * Sequence numbers are dense from 1 within the epoch. A number that is in no record is a hole, and a hole is a gap:
 * what was dropped knowingly has its reason in the mark, anything else was damaged. So dropping a segment, a full
 * disk and a damaged record are one thing to the reader.
 *
 * Promise: appended results are written at the end of the tick, all in one write; `kill -9` after that loses nothing,
 * power loss at most the last second of what the server does not have. When the disk takes no more they wait in memory, the oldest is dropped first.
 */
export class Spool {
  /** Called when there is something new to read. */
  onReady: () => void = () => {};
  #segments: Segment[];
  #waiting: Record[] = [];
  #waitingBytes = 0;
  #gaps: Gaps;
  #acked: number;
  #head: number;
  /** The newest number an earlier process has left; numbers behind it were given by this one. */
  #inherited: number;
  #metServer = false;
  #diskFails = false;
  #flushing: NodeJS.Immediate | undefined;
  #unsynced = false;
  #markDirty = false;
  #cancelSync: (() => void) | undefined;

  private constructor(
    private readonly options: SpoolOptions,
    readonly epoch: string,
    private readonly dir: string,
  ) {
    const mark = readMark(dir);
    this.#segments = loadSegments(dir, options.clock);
    this.#gaps = new Gaps(mark?.gaps);
    this.#acked = mark?.acked ?? (this.#segments[0]?.first ?? 1) - 1;
    this.#head = Math.max(this.#acked, this.#gaps.last, this.#segments.at(-1)?.last ?? 0);
    this.#inherited = this.#head;
    this.#removeAcked();
    this.#retain();
  }

  static open(options: SpoolOptions): Spool {
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    const epoch = findEpoch(options.dir, options.clock) ?? options.newId();
    const dir = join(options.dir, epoch);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return new Spool(options, epoch, dir);
  }

  /** Everything up to this number is at the server. */
  get acked(): number {
    return this.#acked;
  }

  /** The newest number given. */
  get head(): number {
    return this.#head;
  }

  /** Bytes on the disk. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  append(results: readonly Result[]): void {
    for (const result of results) {
      const body = Buffer.from(JSON.stringify(result));
      this.#waiting.push({ seq: ++this.#head, body });
      this.#waitingBytes += body.length;
    }
    this.#flushing ??= setImmediate(() => {
      this.flush();
      this.onReady();
    });
  }

  /** Writes what waits. Never throws: what the disk refuses keeps waiting in memory. */
  flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    try {
      while (this.#waiting.length > 0) this.#writeSome();
      if (this.#diskFails) this.options.warn("the spool's disk takes data again", { dir: this.dir });
      this.#diskFails = false;
    } catch (error) {
      if (!this.#diskFails)
        this.options.warn(`cannot write the spool, results wait in memory: ${error}`, { dir: this.dir });
      this.#diskFails = true;
      this.#dropWaiting();
    }
    this.#retain();
    this.#syncSoon();
  }

  /**
   * The next run of results: `gaps` cover `from … batch.from - 1`, `results` are dense from `batch.from` on. At least
   * one result when there is one, however large; but none behind more gaps than one batch may bring.
   */
  read(from: number, maxRows: number, maxBytes: number): ResultBatch {
    let batch: ResultBatch = { epoch: this.epoch, from, results: [], gaps: [] };
    let bytes = 0;
    for (const { seq, body } of this.#records(batch.from)) {
      const next = batch.from + batch.results.length;
      if (batch.results.length > 0 && (seq !== next || bytes + body.length > maxBytes)) return batch;
      if (seq > next) {
        batch = this.#explain(next, seq - 1);
        if (batch.from < seq) return batch;
      }
      batch.results.push(JSON.parse(body.toString("utf8")));
      bytes += body.length;
      if (batch.results.length === maxRows) return batch;
    }
    if (batch.results.length > 0 || batch.from > this.#head) return batch;
    return this.#explain(batch.from, this.#head);
  }

  /** No results, but why: of `from … to`, or of as much of it as one batch may bring. */
  #explain(from: number, to: number): ResultBatch {
    const gaps = this.#gaps.explain(from, to).slice(0, LIMITS.gapsPerBatch);
    return { epoch: this.epoch, from: gaps.at(-1)!.to + 1, results: [], gaps };
  }

  /** The server has everything up to `seq`. */
  ack(seq: number): void {
    if (seq <= this.#acked) return;
    this.#acked = Math.min(seq, this.#head);
    while (this.#waiting[0] && this.#waiting[0].seq <= this.#acked) this.#shiftWaiting();
    this.#gaps.forgetUpTo(this.#acked);
    this.#markDirty = true;
    this.#removeAcked();
    this.#syncSoon();
  }

  /** Gives one result up, because the server will never take it. */
  drop(seq: number): void {
    this.#lose({ from: seq, to: seq, reason: "CORRUPT" });
  }

  /**
   * A session begins; the server has `serverAcked` of `serverEpoch`. When that is more than this spool remembers from
   * before it was opened, power loss has taken our newest records and their numbers were given a second time: the
   * server would take the new results for replays. They get new numbers, behind the server's.
   */
  resume(serverEpoch: string | null, serverAcked: number): void {
    const forgotten = this.#metServer ? 0 : serverAcked - this.#inherited;
    this.#metServer = true;
    if (serverEpoch !== this.epoch) return;
    this.flush();
    if (forgotten > 0) this.#renumber(forgotten);
    this.ack(serverAcked);
  }

  /** Everything appended so far survives power loss once this resolves (or the disk refuses it). */
  async sync(): Promise<void> {
    this.flush();
    const active = this.#active();
    if (active) await new Promise<void>((resolve) => active.sync(() => resolve()));
    this.#saveMark();
  }

  async close(): Promise<void> {
    await this.sync();
    this.#cancelSync?.();
    this.#active()?.seal();
  }

  #active(): Segment | undefined {
    const newest = this.#segments.at(-1);
    return newest?.writable ? newest : undefined;
  }

  #writeSome(): void {
    const limit = this.options.segmentBytes ?? SEGMENT_BYTES;
    const now = this.options.clock.monotonic();
    // Age drops whole segments, so that no segment may mix what is old with what is new.
    if (now - (this.#active()?.startedAt ?? now) > this.options.maxAgeMs / 24) this.#active()?.seal();
    const segment = this.#active() ?? this.#startSegment(this.#waiting[0]?.seq ?? this.#head + 1, now);
    let bytes = segment.bytes;
    let count = 0;
    do bytes += this.#waiting[count++]?.body.length ?? 0;
    while (count < this.#waiting.length && bytes < limit);
    segment.append(this.#waiting.slice(0, count), now);
    while (count-- > 0) this.#shiftWaiting();
    this.#unsynced = true;
    if (bytes >= limit) segment.seal();
  }

  #startSegment(first: number, now: number): Segment {
    const segment = Segment.create(this.dir, first, now);
    this.#segments.push(segment);
    return segment;
  }

  #shiftWaiting(): void {
    this.#waitingBytes -= this.#waiting.shift()?.body.length ?? 0;
  }

  #dropWaiting(): void {
    let dropped: SpoolGap | undefined;
    while (this.#waiting[0] && (this.#waiting.length > WAITING.rows || this.#waitingBytes > WAITING.bytes)) {
      const { seq } = this.#waiting[0];
      dropped = { from: dropped?.from ?? seq, to: seq, reason: "DISK_FULL" };
      this.#shiftWaiting();
    }
    if (dropped) this.#lose(dropped);
  }

  *#records(from: number): Generator<Record> {
    for (const segment of this.#segments)
      if (segment.last >= from)
        for (const record of segment.records(from)) if (!this.#gaps.has(record.seq)) yield record;
    for (const record of this.#waiting) if (record.seq >= from && !this.#gaps.has(record.seq)) yield record;
  }

  /** Drops whole segments, oldest first, until bytes and age are within bounds. */
  #retain(): void {
    const { maxBytes, maxAgeMs, clock } = this.options;
    for (let oldest = this.#segments[0]; oldest; oldest = this.#segments[0]) {
      const reason =
        this.bytes > maxBytes ? "BYTES" : oldest.newestAt < clock.monotonic() - maxAgeMs ? "AGE" : undefined;
      if (!reason || (reason === "BYTES" && this.#segments.length === 1)) return;
      const to = (this.#segments[1]?.first ?? oldest.last + 1) - 1;
      this.#lose({ from: Math.max(oldest.first, this.#acked + 1), to, reason });
      this.#segments.shift()?.remove();
    }
  }

  /** Written before the records go, so that a crash between the two never makes a hole without a reason. */
  #lose(gap: SpoolGap): void {
    if (gap.from > gap.to) return;
    this.#gaps.add(gap);
    this.options.warn(`spool: results ${gap.from} to ${gap.to} were dropped (${gap.reason})`, gap);
    this.#markDirty = true;
    this.#saveMark();
  }

  #removeAcked(): void {
    const done = this.#segments.filter((segment) => !segment.writable && segment.last <= this.#acked);
    if (done.length === 0) return;
    this.#saveMark();
    for (const segment of done) segment.remove();
    this.#segments = this.#segments.filter((segment) => !done.includes(segment));
  }

  #renumber(by: number): void {
    this.options.warn(`spool: the server has ${by} results this host forgot; newer ones are renumbered`, { by });
    const own = this.#segments.filter((segment) => segment.first > this.#inherited);
    for (const segment of own.reverse()) segment.renumber(by);
    for (const record of this.#waiting) record.seq += by;
    this.#gaps.renumber(this.#inherited, by);
    this.#head += by;
  }

  #syncSoon(): void {
    if (this.#cancelSync || !(this.#unsynced || this.#markDirty || this.#waiting.length > 0)) return;
    this.#cancelSync = this.options.clock.after(SYNC_EVERY_MS, () => {
      this.#cancelSync = undefined;
      if (this.#waiting.length > 0) this.flush();
      this.#unsynced = false;
      // What the server has needs no disk of ours: when we come back, its word counts.
      if (this.#acked >= this.#head) return;
      this.#active()?.sync(() => {});
      this.#saveMark();
      this.#syncSoon();
    });
  }

  /** A full disk keeps the mark in memory; the next second tries again. */
  #saveMark(): void {
    if (!this.#markDirty) return;
    try {
      writeMark(this.dir, { acked: this.#acked, gaps: [...this.#gaps.list] });
      this.#markDirty = false;
    } catch {
      this.#syncSoon();
    }
  }
}

function loadSegments(dir: string, clock: Clock): Segment[] {
  const segments: Segment[] = [];
  for (const name of readdirSync(dir).sort()) {
    const segment = Segment.load(dir, name, clock);
    if (segment && segment.last < segment.first) segment.remove();
    else if (segment) segments.push(segment);
  }
  return segments;
}

/** The newest folder that still holds a mark or a readable record; a folder without either is of no use. */
function findEpoch(dir: string, clock: Clock): string | undefined {
  const folders = readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, changedAt: statSync(join(dir, name)).mtimeMs }))
    .sort((a, b) => b.changedAt - a.changedAt);
  const usable = folders.find(
    ({ name }) => readMark(join(dir, name)) || loadSegments(join(dir, name), clock).length > 0,
  );
  for (const { name } of folders) if (name !== usable?.name) rmSync(join(dir, name), { recursive: true, force: true });
  return usable?.name;
}
