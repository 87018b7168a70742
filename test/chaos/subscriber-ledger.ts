import type { Client, Event } from "@poppo-ops/client";

export const seqOf = (cursor: string): number => Number(Buffer.from(cursor, "base64url").toString().split(":")[2]);

export const cursorOf = (epoch: string, seq: number): string => Buffer.from(`v1:${epoch}:${seq}`).toString("base64url");

export interface Seen {
  seq: number;
  type: string;
  summary: string;
}

export interface LedgerOptions {
  name: string;
  /** Closed with the ledger. */
  client: Client;
  /** Where it begins. */
  after: { epoch: string; head: number };
  /** Whether the checker will compare what it was given with the log. */
  isCompared: boolean;
  /** Only events whose type begins with it. */
  family?: string;
}

/** Follows the log as a user of the SDK does, and judges what it is given: every event once, in order, none missing. */
export class SubscriberLedger implements AsyncDisposable {
  /** What the checker has not compared with the database yet. */
  unchecked: Seen[] = [];
  readonly violations: string[] = [];
  received = 0;
  private readonly stopping = new AbortController();
  private readonly following: Promise<void>;

  /** The last event it was given. */
  last: number;
  readonly name: string;
  /** Only events whose type begins with it; empty: all. */
  readonly family: string;
  /** Up to here the checker has compared what it was given. */
  compared: number;

  constructor(private readonly options: LedgerOptions) {
    this.name = options.name;
    this.family = options.family ?? "";
    this.last = this.compared = options.after.head;
    this.following = this.follow(cursorOf(options.after.epoch, options.after.head));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.following;
    await this.options.client.close();
  }

  private async follow(after: string): Promise<void> {
    const filter = this.family ? { types: [`${this.family}*`] } : undefined;
    const { signal } = this.stopping;
    try {
      for await (const event of this.options.client.events({ after, filter, signal })) this.take(event);
    } catch (error) {
      if (!this.stopping.signal.aborted)
        this.violations.push(`${this.name} was sent away after ${this.last}: ${error}`);
    }
  }

  private take({ cursor, type, summary }: Event): void {
    const seq = seqOf(cursor);
    // What a filter leaves out is for the checker to know.
    if (this.family ? seq <= this.last : seq !== this.last + 1)
      this.violations.push(`${this.name} got event ${seq} after ${this.last}`);
    this.last = seq;
    this.received++;
    if (this.options.isCompared) this.unchecked.push({ seq, type, summary });
  }
}
