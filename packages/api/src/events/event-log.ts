import { and, asc, gt, lte, sql } from "drizzle-orm";
import { LIMITS } from "../graphql/limits.js";
import type { App } from "../kernel/app.js";
import type { AppendedEvent } from "../kernel/appended.js";
import type { Position } from "./cursor.js";
import { eventHead, events } from "./event.table.js";

const RING = 4096;
const BATCH = 1000;
const POLL_MS = 1000;

/** Prepared: it runs for every event, and building its text took longer than running it. */
const nextEvents = ({ database }: App) =>
  database.db
    .select()
    .from(events)
    .where(gt(events.seq, sql.placeholder("after")))
    .orderBy(asc(events.seq))
    .limit(BATCH)
    .prepare("next_events");

/**
 * This replica's view of the log: follows the head and keeps the newest events in memory, so that a thousand readers
 * cost the database one read. Hints only make it faster; the poll finds what a lost hint did not tell.
 */
export class EventLog {
  epoch = "";
  /** The last event this replica has read: everything up to it is committed. */
  head = 0;
  private readonly ring: AppendedEvent[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly stopping = new AbortController();
  private reading: Promise<boolean> | null = null;
  private stale = false;
  private mayBeRestored = false;
  private polling: Promise<void> | null = null;
  private stopListening = () => {};

  private readonly next: ReturnType<typeof nextEvents>;

  constructor(private readonly app: App) {
    this.next = nextEvents(app);
  }

  async start(): Promise<void> {
    const head = await this.readHead();
    this.epoch = head.epoch;
    this.head = head.seq;
    const stopHints = this.app.hints.subscribe((topic, isOwn) => {
      if (topic === "events" && !isOwn) void this.refresh();
    });
    const stopAppended = this.app.appended.subscribe((events) => this.take(events));
    this.stopListening = () => {
      stopHints();
      stopAppended();
    };
    this.polling = this.poll(this.stopping.signal);
  }

  async stop(): Promise<void> {
    this.stopListening();
    this.stopping.abort();
    await this.polling;
    await this.reading;
  }

  /** Called after new events were read. Returns the function that stops it. */
  onAdvance(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Reads what was committed since. Calls that arrive while it reads share one further read. Never rejects.
   * @returns false when it could not be read: more may be committed
   */
  refresh(): Promise<boolean> {
    this.stale = true;
    this.reading ??= this.readNew().finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  /** The events after `seq`, at most `limit`, up to what this replica has read; in order, without a hole. */
  async read(after: number, limit: number): Promise<AppendedEvent[]> {
    const oldest = this.ring[0]?.seq ?? this.head + 1;
    if (after + 1 >= oldest) return this.ring.slice(after + 1 - oldest, after + 1 - oldest + limit);
    return this.app.database.db
      .select()
      .from(events)
      .where(and(gt(events.seq, after), lte(events.seq, this.head)))
      .orderBy(asc(events.seq))
      .limit(limit);
  }

  /** The last `count` events; undefined when that is more than a page, or than is remembered. */
  newest(count: number): AppendedEvent[] | undefined {
    const isHere = count >= 0 && count <= Math.min(LIMITS.eventsPerPage, this.ring.length);
    return isHere ? this.ring.slice(this.ring.length - count) : undefined;
  }

  position(): Position {
    return { epoch: this.epoch, seq: this.head };
  }

  private async readNew(): Promise<boolean> {
    let isRead = false;
    while (this.stale && !this.stopping.signal.aborted) {
      this.stale = false;
      isRead = false;
      try {
        if (this.mayBeRestored) await this.noticeRestore();
        const rows = await this.next.execute({ after: this.head });
        // Meanwhile some of them may have been committed here.
        const unknown = rows.filter(({ seq }) => seq > this.head);
        if (unknown.length > 0) this.advance(unknown);
        this.stale ||= rows.length === BATCH;
        isRead = true;
      } catch (error) {
        this.app.log.warn({ err: error }, "events cannot be read; trying again");
      }
    }
    return isRead;
  }

  /** What was committed here follows what is known, unless another commit came between: then both are read. */
  private take(events: AppendedEvent[]): void {
    if (events[0]!.seq === this.head + 1) this.advance(events);
    else if (events.at(-1)!.seq > this.head) void this.refresh();
  }

  private advance(rows: AppendedEvent[]): void {
    this.ring.push(...rows);
    if (this.ring.length > RING) this.ring.splice(0, this.ring.length - RING);
    this.head = rows.at(-1)!.seq;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  private async poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.app.clock.sleep(POLL_MS, signal);
      this.mayBeRestored = true;
      await this.refresh();
    }
  }

  /**
   * A restored database has another epoch; what this replica remembers of the old one is void. What is committed here
   * while the answer is on its way is no step back.
   */
  private async noticeRestore(): Promise<void> {
    const known = this.head;
    const { epoch, seq } = await this.readHead();
    this.mayBeRestored = false;
    if (epoch === this.epoch && seq >= known) return;
    this.epoch = epoch;
    this.head = seq;
    this.ring.length = 0;
    this.tell();
  }

  private async readHead(): Promise<Position> {
    const [head] = await this.app.database.db.select({ epoch: eventHead.epoch, seq: eventHead.head }).from(eventHead);
    return head!;
  }
}
