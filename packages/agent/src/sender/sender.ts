import { backOffMs } from "@poppo-ops/client";
import { type BatchAck, LIMITS, type ResultBatch } from "@poppo-ops/plugins/wire";
import type { Clock } from "../clock.js";
import type { Spool } from "../spool/spool.js";

export interface SenderOptions {
  spool: Spool;
  clock: Clock;
  random(): number;
  /** Resolves when the server has committed the batch. */
  send(batch: ResultBatch): Promise<BatchAck>;
  warn(message: string, details?: object): void;
}

/** What a refusal of the server says about the batch, read from a PoppoError. */
interface Refusal {
  code?: unknown;
  message?: unknown;
  details?: { expectedSeq?: unknown; retryAfterMs?: unknown };
}

/**
 * Brings the spool to the server: in order, at most `window` batches under way, acknowledged only after the server's
 * commit. It never waits to fill a batch: what is there when a place is free leaves at once, so that batches grow
 * with the load and a single failing result has no delay.
 */
export class Sender {
  #online = false;
  /** Batches of an earlier connection answer late; their answers no longer count. */
  #connection = 0;
  #next = 1;
  #inFlight = 0;
  #window: number = LIMITS.batchesInFlight;
  #rows: number = LIMITS.batchRows;
  /** Set while a refused batch is being dealt with: nothing new leaves until those under way have ended. */
  #repair: { next: number; waitMs: number } | undefined;
  #failures = 0;
  #cancelWait: (() => void) | undefined;
  #drained: (() => void)[] = [];

  constructor(private readonly options: SenderOptions) {}

  /** The session is up and the server has everything up to `acked` of `epoch`. */
  connected(epoch: string | null, acked: number): void {
    const { spool } = this.options;
    this.disconnected();
    spool.resume(epoch, acked);
    this.#next = (epoch === spool.epoch ? acked : spool.acked) + 1;
    this.#online = true;
    this.wake();
  }

  disconnected(): void {
    this.#online = false;
    this.#connection++;
    this.#inFlight = 0;
    this.#repair = undefined;
    this.#stopWaiting();
  }

  /** Something may be there to send. */
  wake(): void {
    while (this.#online && !this.#repair && !this.#cancelWait && this.#inFlight < this.#places()) {
      const batch = this.options.spool.read(this.#next, this.#rows, LIMITS.batchBytes);
      if (batch.results.length === 0 && batch.gaps.length === 0) break;
      this.#next = batch.from + batch.results.length;
      this.#inFlight++;
      void this.#deliver(batch, this.#connection);
    }
    if (this.options.spool.acked >= this.options.spool.head) for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** Resolves when the server has everything. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.wake();
    });
  }

  /** A batch that is being halved travels alone: the one behind it would only be refused as well. */
  #places(): number {
    return this.#rows < LIMITS.batchRows ? 1 : this.#window;
  }

  async #deliver(batch: ResultBatch, connection: number): Promise<void> {
    try {
      const ack = await this.options.send(batch);
      if (connection !== this.#connection) return;
      this.#accepted(ack);
    } catch (error) {
      if (connection !== this.#connection) return;
      this.#refused(batch, error as Refusal);
    }
    this.#inFlight--;
    this.#finishRepair();
    this.wake();
  }

  #accepted({ ackedSeq, window, retryAfterMs }: BatchAck): void {
    this.#failures = 0;
    this.#rows = Math.min(LIMITS.batchRows, this.#rows * 2);
    this.#window = Math.max(1, Math.min(LIMITS.batchesInFlight, window));
    this.options.spool.ack(ackedSeq);
    if (retryAfterMs > 0) this.#wait(retryAfterMs);
  }

  #refused(batch: ResultBatch, refusal: Refusal): void {
    const expected = Number(refusal.details?.expectedSeq);
    // A second batch was under way behind the one that failed; the first failure says what to do.
    if (this.#repair) return;
    if (refusal.code === "OUT_OF_ORDER" && expected > 0 && expected !== this.#firstOf(batch))
      this.#repair = { next: expected, waitMs: 0 };
    else if (refusal.code === "BAD_BATCH" && batch.results.length > 0) this.#repair = this.#isolate(batch, refusal);
    else this.#repair = { next: this.options.spool.acked + 1, waitMs: this.#backOff(refusal) };
  }

  #firstOf(batch: ResultBatch): number {
    return batch.gaps[0]?.from ?? batch.from;
  }

  /** Halves a batch the server cannot read until the one bad result is alone, and gives that up. */
  #isolate(batch: ResultBatch, refusal: Refusal): { next: number; waitMs: number } {
    if (batch.results.length > 1) this.#rows = Math.ceil(batch.results.length / 2);
    else {
      this.options.warn(`the server cannot read result ${batch.from}; it is dropped: ${refusal.message}`, {
        result: batch.results[0],
      });
      this.options.spool.drop(batch.from);
    }
    return { next: this.#firstOf(batch), waitMs: 0 };
  }

  #backOff(refusal: Refusal): number {
    const asked = Number(refusal.details?.retryAfterMs) || 0;
    const waitMs = Math.max(asked, backOffMs(this.#failures++, this.options.random));
    this.options.warn(`results were not accepted, trying again in ${Math.round(waitMs)} ms: ${refusal.message}`);
    return waitMs;
  }

  #finishRepair(): void {
    if (!this.#repair || this.#inFlight > 0) return;
    const { next, waitMs } = this.#repair;
    this.#next = next;
    this.#repair = undefined;
    if (waitMs > 0) this.#wait(waitMs);
  }

  #wait(ms: number): void {
    this.#stopWaiting();
    this.#cancelWait = this.options.clock.after(ms, () => {
      this.#cancelWait = undefined;
      this.wake();
    });
  }

  #stopWaiting(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }
}
