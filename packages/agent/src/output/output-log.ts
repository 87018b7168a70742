import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { LIMITS, type OutputChunk, storableText } from "@poppo-ops/plugins/wire";
import type { Clock } from "../clock.js";
import { HeadTail, type Piece } from "./head-tail.js";
import { LineBuffer, splitUtf8 } from "./line-buffer.js";

export interface OutputLogOptions {
  path: string;
  clock: Clock;
  redact(text: string): string;
  /** There are chunks to send, or the log has just become deliverable whole. */
  onReady(): void;
}

const STREAMS = ["stdout", "stderr"] as const;
type Stream = (typeof STREAMS)[number];

/** Chunks leave at once when the log was quiet and gather for this long when it is busy. */
const GATHER_MS = 50;
/** A line without its end (a prompt, a progress bar) is shown after this long; waiting keeps secrets whole. */
const PARTIAL_LINE_MS = 250;

/**
 * The live output of one command: cut at lines, redacted, capped head and tail, then written to the disk and kept until
 * the server has it. A full disk costs the copy on the disk, not the output.
 */
export class OutputLog {
  ended = false;
  #chunks: OutputChunk[] = [];
  #nextSeq = 0;
  #lines: Record<Stream, LineBuffer> = { stdout: new LineBuffer(), stderr: new LineBuffer() };
  #offsets = { stdout: 0, stderr: 0, system: 0 };
  #gathered: { stream: Stream; text: string }[] = [];
  #headTail = new HeadTail();
  #lastFlush = Number.NEGATIVE_INFINITY;
  #cancelFlush: (() => void) | undefined;
  #cancelPartial: Partial<Record<Stream, () => void>> = {};

  constructor(
    readonly commandId: string,
    private readonly options: OutputLogOptions,
  ) {}

  /** What an earlier process has left to send. */
  static load(commandId: string, options: OutputLogOptions): OutputLog {
    const log = new OutputLog(commandId, options);
    for (const line of readFileSync(options.path, "utf8").split("\n")) {
      const chunk = parseChunk(line);
      if (chunk?.seq === log.#chunks.length) log.#chunks.push(chunk);
    }
    log.#nextSeq = log.#chunks.length;
    log.ended = true;
    return log;
  }

  /** Chunks the server does not have. */
  get pending(): readonly OutputChunk[] {
    return this.#chunks;
  }

  write(stream: Stream, data: Buffer | string): void {
    if (this.ended) return;
    const complete = this.#lines[stream].push(data);
    this.#gather(stream, complete);
    if (complete !== "") this.#stopWaiting(stream);
    if (!this.#lines[stream].isEmpty)
      this.#cancelPartial[stream] ??= this.options.clock.after(PARTIAL_LINE_MS, () => this.#flushLine(stream));
  }

  /** The command has ended: everything held back becomes chunks. */
  end(): void {
    if (this.ended) return;
    for (const stream of STREAMS) this.#flushLine(stream);
    this.#flush();
    this.#keep(this.#headTail.end());
    this.ended = true;
    this.options.onReady();
  }

  ack(seq: number): void {
    this.#chunks = this.#chunks.filter((chunk) => chunk.seq > seq);
  }

  remove(): void {
    this.ended = true;
    for (const stream of STREAMS) this.#stopWaiting(stream);
    this.#cancelFlush?.();
    this.#chunks = [];
    rmSync(this.options.path, { force: true });
  }

  #flushLine(stream: Stream): void {
    this.#stopWaiting(stream);
    this.#gather(stream, this.#lines[stream].flush());
  }

  #stopWaiting(stream: Stream): void {
    this.#cancelPartial[stream]?.();
    delete this.#cancelPartial[stream];
  }

  #gather(stream: Stream, text: string): void {
    if (text === "") return;
    const last = this.#gathered.at(-1);
    const clean = storableText(this.options.redact(text));
    if (last?.stream === stream) last.text += clean;
    else this.#gathered.push({ stream, text: clean });
    const waitMs = this.#lastFlush + GATHER_MS - this.options.clock.monotonic();
    this.#cancelFlush ??= this.options.clock.after(Math.max(0, waitMs), () => this.#flush());
  }

  #flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#lastFlush = this.options.clock.monotonic();
    const pieces = this.#gathered
      .splice(0)
      .flatMap(({ stream, text }) =>
        splitUtf8(text, LIMITS.outputChunkChars).flatMap((part) => this.#headTail.push(this.#place(stream, part))),
      );
    this.#keep(pieces);
    if (this.#chunks.length > 0) this.options.onReady();
  }

  #place(stream: Stream, text: string): Piece {
    const offset = this.#offsets[stream];
    this.#offsets[stream] += Buffer.byteLength(text);
    return { stream, offset, text };
  }

  #keep(pieces: Piece[]): void {
    if (pieces.length === 0) return;
    const chunks = pieces.map((piece) => ({ seq: this.#nextSeq++, ...piece }));
    this.#chunks.push(...chunks);
    try {
      appendFileSync(this.options.path, chunks.map((chunk) => `${JSON.stringify(chunk)}\n`).join(""), { mode: 0o600 });
    } catch {
      // Disk full: the chunks are still sent from memory.
    }
  }
}

function parseChunk(line: string): OutputChunk | undefined {
  try {
    return JSON.parse(line) as OutputChunk;
  } catch {
    return undefined;
  }
}
