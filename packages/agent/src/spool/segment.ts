import {
  closeSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.js";
import { type Frame, readFrames, writeFrame } from "./frame.js";

const SEGMENT_NAME = /^(\d{16})\.seg$/;

export interface Record {
  seq: number;
  body: Buffer;
}

/** One file of the spool: records from `first` on. Only the newest is written to. */
export class Segment {
  #fd: number | undefined;
  /** Where the last read ended; a sender reads forward, so the next read starts here. */
  #cursor = { index: 0, offset: 0 };

  private constructor(
    readonly dir: string,
    /** Sequence number of the record with index 0. */
    public first: number,
    public bytes: number,
    /** Sequence number of the newest record; `first - 1` when there is none. */
    public last: number,
    /** When the newest record was written, in monotonic milliseconds: a clock that is set makes no record old. */
    public newestAt: number,
    readonly startedAt = newestAt,
  ) {}

  static create(dir: string, first: number, now: number): Segment {
    const segment = new Segment(dir, first, 0, first - 1, now);
    segment.#fd = openSync(segment.path, "w+", 0o600);
    return segment;
  }

  /** Opens what an earlier process left; cuts a torn tail off. `undefined` for a name that is not a segment's. */
  static load(dir: string, name: string, clock: Clock): Segment | undefined {
    const first = SEGMENT_NAME.exec(name)?.[1];
    if (first === undefined) return undefined;
    const { size, mtimeMs } = statSync(join(dir, name));
    const newestAt = clock.monotonic() - Math.max(0, clock.now() - mtimeMs);
    const segment = new Segment(dir, Number(first), size, Number(first) - 1, newestAt);
    let end = 0;
    for (const frame of readFrames(segment.#readFrom(0))) {
      segment.last = segment.first + frame.index;
      end = frame.end;
    }
    if (end < size) segment.#truncate(end);
    return segment;
  }

  get path(): string {
    return join(this.dir, `${String(this.first).padStart(16, "0")}.seg`);
  }

  get writable(): boolean {
    return this.#fd !== undefined;
  }

  /** Appends all `records` or none. @throws the system's error, ENOSPC for a full disk */
  append(records: readonly Record[], now: number): void {
    const fd = this.#fd;
    if (fd === undefined) throw new Error(`${this.path} is sealed`);
    const data = Buffer.concat(records.map(({ seq, body }) => writeFrame(seq - this.first, body)));
    try {
      for (let done = 0; done < data.length; ) done += writeSync(fd, data, done, data.length - done, this.bytes + done);
    } catch (error) {
      ftruncateSync(fd, this.bytes);
      throw error;
    }
    this.bytes += data.length;
    this.last = records.at(-1)?.seq ?? this.last;
    this.newestAt = now;
  }

  /** Records from `seq` on. */
  *records(seq: number): Generator<Record> {
    const index = Math.max(0, seq - this.first);
    const start = this.#cursor.index <= index ? this.#cursor.offset : 0;
    for (const frame of readFrames(this.#readFrom(start))) {
      if (frame.index < index) continue;
      yield { seq: this.first + frame.index, body: frame.body };
      this.#cursor = behind(frame, start);
    }
  }

  /** Gives the records other numbers: `first` becomes `first + by`. */
  renumber(by: number): void {
    const from = this.path;
    this.first += by;
    this.last += by;
    renameSync(from, this.path);
  }

  /** What was appended survives power loss once this calls back. */
  sync(done: (error: Error | null) => void): void {
    if (this.#fd === undefined) done(null);
    else fsync(this.#fd, done);
  }

  /** No more appends; everything is on the disk. */
  seal(): void {
    if (this.#fd === undefined) return;
    try {
      fsyncSync(this.#fd);
    } finally {
      closeSync(this.#fd);
      this.#fd = undefined;
    }
  }

  remove(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    rmSync(this.path, { force: true });
  }

  #readFrom(offset: number): Buffer {
    const fd = this.#fd ?? openSync(this.path, "r");
    try {
      const data = Buffer.allocUnsafe(Math.max(0, this.bytes - offset));
      return data.subarray(0, readSync(fd, data, 0, data.length, offset));
    } finally {
      if (fd !== this.#fd) closeSync(fd);
    }
  }

  #truncate(bytes: number): void {
    const fd = openSync(this.path, "r+");
    try {
      ftruncateSync(fd, bytes);
    } finally {
      closeSync(fd);
    }
    this.bytes = bytes;
  }
}

const behind = (frame: Frame, start: number) => ({ index: frame.index + 1, offset: start + frame.end });
