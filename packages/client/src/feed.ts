import { createBackoff } from "./backoff.js";
import type { PoppoError } from "./error.js";
import type { TypedDocumentString } from "./generated/graphql.js";
import type { Socket } from "./socket.js";

/** What one answer adds to a feed. */
export interface Step<Item> {
  items: readonly Item[];
  /** Nothing follows; an error is thrown once the items before it were taken. */
  end?: true | Error;
  /** Subscribe again, because the variables now point somewhere else. */
  restart?: boolean;
}

/** How far one loop over a feed has come. */
export interface Progress<Data, Variables, Item> {
  /** Sent at every subscription; `accept` moves them forward in place. */
  variables: Variables;
  /** Takes an answer and drops what was seen before. */
  accept(data: Data): Step<Item>;
}

export interface FeedOptions<Data, Variables, Item> {
  socket: Pick<Socket, "subscribe">;
  document: TypedDocumentString<Data, Variables>;
  begin(): Progress<Data, Variables, Item>;
  /** Ends the loop, as `break` does. */
  signal?: AbortSignal;
  random: () => number;
}

/** With more than this a feed unsubscribes; it resumes where it stood once they were taken. */
export const BUFFERED = 1_000;

/**
 * A subscription as an async iterable that survives lost connections and being cut off, and never holds more than
 * `BUFFERED` items and one answer. Each loop over it has a subscription of its own, ended at once by `break`.
 */
export const feed = <Data, Variables, Item>(options: FeedOptions<Data, Variables, Item>): AsyncIterable<Item> => ({
  [Symbol.asyncIterator]: () => new FeedIterator(options),
});

interface Waiter<Item> {
  resolve(result: IteratorResult<Item, undefined>): void;
  reject(error: Error): void;
}

/** Written by hand, because an async generator that is blocked in `await` cannot be stopped by `return()`. */
class FeedIterator<Data, Variables, Item> implements AsyncIterator<Item, undefined> {
  readonly #options: FeedOptions<Data, Variables, Item>;
  readonly #progress: Progress<Data, Variables, Item>;
  readonly #backoff;
  readonly #items: Item[] = [];
  readonly #waiters: Waiter<Item>[] = [];
  /** Set once nothing more is to come: `true`, or the error the loop ends with. */
  #end: true | Error | undefined;
  #unsubscribe: (() => void) | undefined;
  #waiting = false;

  constructor(options: FeedOptions<Data, Variables, Item>) {
    this.#options = options;
    this.#progress = options.begin();
    this.#backoff = createBackoff(options.random);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    if (options.signal?.aborted) this.#abort();
    else this.#open();
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#settle();
    });
  }

  async return(): Promise<IteratorResult<Item, undefined>> {
    this.#abort();
    return { done: true, value: undefined };
  }

  readonly #abort = () => {
    this.#items.length = 0;
    this.#finish(true);
  };

  #open(): void {
    if (this.#end || this.#unsubscribe || this.#waiting) return;
    let current = true;
    const guard =
      <Arguments extends unknown[]>(act: (...given: Arguments) => void) =>
      (...given: Arguments) => {
        // What an ended subscription still delivers was not accepted and comes again.
        if (current) act(...given);
      };
    const stop = this.#options.socket.subscribe(this.#options.document, this.#progress.variables, {
      next: guard((data) => this.#take(data)),
      error: guard((error) => this.#broken(error)),
      complete: guard(() => this.#reopenLater()),
    });
    this.#unsubscribe = () => {
      current = false;
      this.#unsubscribe = undefined;
      stop();
    };
    if (this.#end) this.#unsubscribe();
  }

  #take(data: Data): void {
    this.#backoff.reset();
    const { items, end, restart } = this.#progress.accept(data);
    for (const item of items) this.#items.push(item);
    if (end) this.#finish(end);
    else if (restart || this.#items.length > BUFFERED) this.#unsubscribe?.();
    this.#settle();
  }

  #broken(error: PoppoError): void {
    this.#backoff.setRetryAfter(error.retryAfterMs);
    if (error.retryable) this.#reopenLater();
    else this.#finish(error);
  }

  #reopenLater(): void {
    this.#unsubscribe?.();
    this.#waiting = true;
    void this.#backoff.wait().then(() => {
      this.#waiting = false;
      this.#settle();
    });
  }

  #finish(end: true | Error): void {
    this.#end ??= end;
    this.#unsubscribe?.();
    this.#backoff.cancel();
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#settle();
  }

  /** Hands items, then the end, to those who wait; with nothing left to hand out, asks the server for more. */
  #settle(): void {
    while (this.#waiters.length > 0 && this.#items.length > 0)
      this.#waiters.shift()!.resolve({ done: false, value: this.#items.shift()! });
    if (this.#items.length > 0) return;
    if (!this.#end) {
      this.#open();
      return;
    }
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#end === true) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(this.#end);
      // An error is thrown once; after it the iterator is done.
      this.#end = true;
    }
  }
}
