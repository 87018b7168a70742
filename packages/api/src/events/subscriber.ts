import { GraphQLError } from "graphql";
import type { AppError } from "../kernel/app-error.js";

/** What the fan-out needs of a socket; it never sees a socket library. */
export interface EventSocket {
  readonly bufferedAmount: number;
  send(text: string, flushed: (error?: Error) => void): void;
  /** Ends the connection without ceremony: the peer does not read. */
  terminate(): void;
}

const MAX_PENDING = 1000;
const MAX_BYTES = 1024 * 1024;

/**
 * One `incidentEvents` operation on one socket. Its queue is the socket's own, and it is bounded.
 *
 * To graphql-ws it is an iterator that yields nothing, because results go to the socket already serialised; it ends when
 * the client completes, and fails when the reader is cut off. Hand-written: a native generator that waits cannot be
 * stopped by `return()`.
 */
export class Subscriber implements AsyncGenerator<never, void, void> {
  live = true;
  private pending = 0;
  private waiting: (() => void)[] = [];
  private finish!: () => void;
  private abandon!: (error: Error) => void;
  private readonly result = new Promise<void>((resolve, reject) => {
    this.finish = resolve;
    this.abandon = reject;
  });
  /** Resolves when the subscription is over, for whatever reason. */
  readonly ended: Promise<void> = this.result.catch(() => {});
  private readonly head: string;

  constructor(
    private readonly socket: EventSocket,
    operationId: string,
  ) {
    this.head = `{"id":${JSON.stringify(operationId)},"type":"next","payload":`;
  }

  get isOverflowing(): boolean {
    return this.pending >= MAX_PENDING || this.socket.bufferedAmount > MAX_BYTES;
  }

  /** Everything sent has left this process. */
  get isDrained(): boolean {
    return this.pending === 0 || !this.live;
  }

  /** Sends an already serialised result. */
  send(body: string): void {
    if (!this.live) return;
    this.pending++;
    this.socket.send(`${this.head}${body}}`, this.flushed);
  }

  /** Resolves when it is drained. */
  async drained(): Promise<void> {
    if (!this.isDrained) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Ends the operation with an error; the client may subscribe again. */
  fail(error: AppError): void {
    this.close(() => this.abandon(new GraphQLError(error.message, { originalError: error })));
  }

  /** The peer does not even read the error: nothing else would free what is queued for it. */
  terminate(): void {
    this.close(this.finish);
    this.socket.terminate();
  }

  async next(): Promise<IteratorResult<never, void>> {
    await this.result;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<never, void>> {
    this.close(this.finish);
    return { done: true, value: undefined };
  }

  async throw(error: Error): Promise<IteratorResult<never, void>> {
    this.close(() => this.abandon(error));
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  private close(settle: () => void): void {
    this.live = false;
    this.release();
    settle();
  }

  private readonly flushed = () => {
    this.pending--;
    if (this.pending === 0) this.release();
  };

  private release(): void {
    for (const resume of this.waiting.splice(0)) resume();
  }
}
