import type { AppendedEvent } from "../kernel/appended.js";
import type { Position } from "./cursor.js";
import type { NextMessage } from "./next-message.js";
import type { Subscriber } from "./subscriber.js";

/** A page of events up to `to` (inclusive), rendered for one group key. */
export interface Rendered {
  to: number;
  /** Null when no event passed the filter: nothing to send. */
  message: NextMessage | null;
}

/** What makes subscriptions equal: document, variables without `after`, visibility. */
export interface SharedQuery {
  key: string;
  matches(event: AppendedEvent): boolean;
  /** Executes the document on a page; the result as JSON. Rejects when the database is away. */
  render(events: AppendedEvent[], to: Position, caughtUp: boolean): Promise<string>;
  renderGap(reason: string): Promise<string>;
}

/**
 * Subscribers of one query that stand at one position. Reading on is the same act for the live group and for one that
 * catches up after a reconnect; groups of one query that meet at a position become one.
 */
export class ReaderGroup {
  readonly members = new Set<Subscriber>();
  running = false;
  /** The last page said that nothing later is known. What the filter holds back since then does not change it. */
  toldCaughtUp = false;
  /** When something was last sent, by the monotonic clock: heartbeats go by it. */
  sentAt = 0;

  constructor(
    readonly query: SharedQuery,
    public position: Position,
  ) {}

  standsAt({ epoch, seq }: Position): boolean {
    return this.position.seq === seq && this.position.epoch === epoch;
  }

  absorb(other: ReaderGroup): void {
    for (const member of other.members) this.members.add(member);
    other.members.clear();
  }
}
