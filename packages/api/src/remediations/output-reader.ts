import type { OutputChunk } from "@poppo-ops/plugins/wire";

/** Some output of a run in its order; `ended` on the last page. */
export interface OutputPage {
  chunks: OutputChunk[];
  ended: boolean;
}

type Result = IteratorResult<OutputPage, void>;

/**
 * One subscription to a run's output. It holds nothing: a page is read when it is asked for, which is when the socket
 * has taken the one before. Hand-written: a native generator that waits cannot be stopped by `return()`.
 */
export class OutputReader implements AsyncGenerator<OutputPage, void, void> {
  private waiting: ((result: Result) => void)[] = [];
  private hasEnded = false;

  constructor(
    /** The `seq` of the last chunk it was given. */
    public after: number,
    private readonly feed: { asks(): void; leaves(): void },
  ) {}

  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /** Takes what is new to it of a page. @returns false when that is nothing */
  offer({ chunks, ended }: OutputPage): boolean {
    const news = chunks.filter(({ seq }) => seq > this.after);
    if (news.length === 0 && !ended) return false;
    const resolve = this.waiting.shift();
    if (!resolve) return false;
    this.after = news.at(-1)?.seq ?? this.after;
    resolve({ done: false, value: { chunks: news, ended } });
    if (ended) this.end();
    return true;
  }

  async next(): Promise<Result> {
    if (this.hasEnded) return { done: true, value: undefined };
    const result = new Promise<Result>((resolve) => this.waiting.push(resolve));
    this.feed.asks();
    return result;
  }

  async return(): Promise<Result> {
    this.end();
    return { done: true, value: undefined };
  }

  async throw(error: Error): Promise<Result> {
    this.end();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  private end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const resolve of this.waiting.splice(0)) resolve({ done: true, value: undefined });
    this.feed.leaves();
  }
}
