type Result<Page> = IteratorResult<Page, void>;

/**
 * A subscription that holds nothing: a page is made when it is asked for, which is when the socket has taken the one
 * before. Hand-written: a native generator that waits cannot be stopped by `return()`.
 */
export class PulledStream<Page> implements AsyncGenerator<Page, void, void> {
  private waiting: ((result: Result<Page>) => void)[] = [];
  private hasEnded = false;

  constructor(private readonly source: { asks(): void; leaves(): void }) {}

  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  async next(): Promise<Result<Page>> {
    if (this.hasEnded) return { done: true, value: undefined };
    const result = new Promise<Result<Page>>((resolve) => this.waiting.push(resolve));
    this.source.asks();
    return result;
  }

  async return(): Promise<Result<Page>> {
    this.end();
    return { done: true, value: undefined };
  }

  async throw(error: Error): Promise<Result<Page>> {
    this.end();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  /** Answers the oldest question; only while it `isWaiting`. */
  protected give(page: Page): void {
    this.waiting.shift()!({ done: false, value: page });
  }

  protected end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const resolve of this.waiting.splice(0)) resolve({ done: true, value: undefined });
    this.source.leaves();
  }
}
