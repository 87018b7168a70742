import { GraphQLError } from "graphql";
import type { AppError } from "../kernel/app-error.js";
import { type NextMessage, type Tail, tailOf } from "./next-message.js";

/** What the fan-out needs of a socket; it never sees a socket library. */
export interface EventSocket {
  /** Bytes that wait in this process. */
  readonly bufferedAmount: number;
  /** More is on its way than the system takes at once; `onDrain` tells when it is gone. */
  readonly isCongested: boolean;
  /** Writes one whole WebSocket frame, which is given in pieces. A closed socket swallows it. */
  writeFrame(pieces: readonly Buffer[]): void;
  /** Calls back once, when what was written has left this process, or the socket is closed. */
  onDrain(listener: () => void): void;
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
  /** Messages since the socket had nothing to send. */
  private pending = 0;
  private finish!: () => void;
  private abandon!: (error: Error) => void;
  private readonly result = new Promise<void>((resolve, reject) => {
    this.finish = resolve;
    this.abandon = reject;
  });
  /** Resolves when the subscription is over, for whatever reason. */
  readonly ended: Promise<void> = this.result.catch(() => {});
  private readonly tail: Tail;

  constructor(
    private readonly socket: EventSocket,
    operationId: string,
  ) {
    this.tail = tailOf(operationId);
  }

  get isOverflowing(): boolean {
    const waiting = this.socket.bufferedAmount;
    if (waiting === 0) this.pending = 0;
    return this.pending >= MAX_PENDING || waiting > MAX_BYTES;
  }

  /** The system takes what is sent. */
  get isDrained(): boolean {
    return !this.live || !this.socket.isCongested;
  }

  send(message: NextMessage): void {
    if (!this.live) return;
    this.pending++;
    this.socket.writeFrame(message.frameFor(this.tail));
  }

  /** Resolves when it is drained, or over. */
  async drained(): Promise<void> {
    if (!this.isDrained) await Promise.race([this.ended, new Promise<void>((resolve) => this.socket.onDrain(resolve))]);
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
    settle();
  }
}
