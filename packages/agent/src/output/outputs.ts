import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { backOffMs } from "@poppo-ops/client";
import { LIMITS, type OutputBatch, type OutputChunk } from "@poppo-ops/plugins/wire";
import type { Clock } from "../clock.js";
import { sleep, within } from "../clock.js";
import { isRefusedForGood } from "../sender/refused-for-good.js";
import { OutputLog } from "./output-log.js";

export interface OutputsOptions {
  dir: string;
  clock: Clock;
  random(): number;
  redact(text: string): string;
  /** Resolves with the newest chunk the server has committed. */
  send(batch: OutputBatch): Promise<{ seq: number }>;
  warn(message: string, details?: object): void;
}

const CHUNKS_PER_BATCH = 256;
/** Outputs of earlier processes that are kept; each is at most head + tail long. */
const KEPT_LOGS = 32;
/** After this many refusals in a row (not lost connections) an output is given up: the server does not want it. */
const REFUSALS = 8;

/** The outputs on their way to the server. Each command's chunks leave in order, one batch at a time. */
export class Outputs {
  #logs = new Map<string, OutputLog>();
  #sending = new Map<string, Promise<void>>();
  #online = false;
  #stop = new AbortController();

  constructor(private readonly options: OutputsOptions) {
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    const left = readdirSync(options.dir)
      .filter((name) => name.endsWith(".jsonl"))
      .map((name) => ({ id: name.slice(0, -".jsonl".length), at: statSync(join(options.dir, name)).mtimeMs }))
      .sort((a, b) => b.at - a.at);
    left.forEach(({ id }, i) => {
      const log = OutputLog.load(id, this.#logOptions(id));
      if (i < KEPT_LOGS) this.#logs.set(id, log);
      else log.remove();
    });
  }

  open(commandId: string): OutputLog {
    const log = new OutputLog(commandId, this.#logOptions(commandId));
    this.#logs.set(commandId, log);
    return log;
  }

  connected(): void {
    this.#online = true;
    for (const id of this.#logs.keys()) this.#wake(id);
  }

  disconnected(): void {
    this.#online = false;
  }

  /** Resolves when the server has the command's output, or after `ms`. */
  async delivered(commandId: string, ms: number): Promise<void> {
    const sending = this.#sending.get(commandId);
    if (sending) await within(this.options.clock, ms, sending);
  }

  stop(): void {
    this.#online = false;
    this.#stop.abort();
  }

  #logOptions(commandId: string) {
    const { dir, clock, redact } = this.options;
    return { path: join(dir, `${commandId}.jsonl`), clock, redact, onReady: () => this.#wake(commandId) };
  }

  #wake(id: string): void {
    const log = this.#logs.get(id);
    if (!this.#online || !log || this.#sending.has(id)) return;
    const sending = this.#sendAll(log).finally(() => {
      this.#sending.delete(id);
      if (log.ended && log.pending.length === 0) this.#forget(log);
      else if (log.pending.length > 0) this.#wake(id);
    });
    this.#sending.set(id, sending);
  }

  async #sendAll(log: OutputLog): Promise<void> {
    for (let failures = 0; this.#online && log.pending.length > 0; )
      try {
        const { seq } = await this.options.send({ commandId: log.commandId, chunks: nextChunks(log.pending) });
        log.ack(seq);
        failures = 0;
      } catch (error) {
        if (!this.#online) return;
        if (failures++ < REFUSALS && !isRefusedForGood(error))
          await sleep(this.options.clock, backOffMs(failures, this.options.random), this.#stop.signal);
        else this.#giveUp(log, error as Error);
      }
  }

  #giveUp(log: OutputLog, error: Error): void {
    this.options.warn(`the server refuses the output of command ${log.commandId}; it is dropped: ${error.message}`);
    this.#forget(log);
  }

  #forget(log: OutputLog): void {
    log.remove();
    this.#logs.delete(log.commandId);
  }
}

/** As many chunks as one message may carry. */
function nextChunks(pending: readonly OutputChunk[]): OutputChunk[] {
  const chunks: OutputChunk[] = [];
  let bytes = 0;
  for (const chunk of pending) {
    bytes += Buffer.byteLength(chunk.text);
    if (chunks.length === CHUNKS_PER_BATCH || (chunks.length > 0 && bytes > LIMITS.batchBytes)) break;
    chunks.push(chunk);
  }
  return chunks;
}
