import type { Client, Event } from "@poppo-ops/client";

export const seqOf = (cursor: string): number => Number(Buffer.from(cursor, "base64url").toString().split(":")[2]);

export const cursorOf = (epoch: string, seq: number): string => Buffer.from(`v1:${epoch}:${seq}`).toString("base64url");

export interface Seen {
  seq: number;
  type: string;
  summary: string;
}

/** Follows the log as a user of the SDK does, and judges what it is given: every event once, in order, none missing. */
export class SubscriberLedger implements AsyncDisposable {
  /** What the checker has not compared with the database yet. */
  unchecked: Seen[] = [];
  readonly violations: string[] = [];
  received = 0;
  private readonly stopping = new AbortController();
  private readonly following: Promise<void>;

  constructor(
    readonly name: string,
    private readonly client: Client,
    /** The last event before its first. */
    public last: number,
    epoch: string,
    private readonly keeps = true,
  ) {
    this.following = this.follow(cursorOf(epoch, last));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.following;
    await this.client.close();
  }

  private async follow(after: string): Promise<void> {
    try {
      for await (const event of this.client.events({ after, signal: this.stopping.signal })) this.take(event);
    } catch (error) {
      if (!this.stopping.signal.aborted)
        this.violations.push(`${this.name} was sent away after ${this.last}: ${error}`);
    }
  }

  private take({ cursor, type, summary }: Event): void {
    const seq = seqOf(cursor);
    if (seq !== this.last + 1) this.violations.push(`${this.name} got event ${seq} after ${this.last}`);
    this.last = seq;
    this.received++;
    if (this.keeps) this.unchecked.push({ seq, type, summary });
  }
}
