import { LIMITS } from "../graphql/limits.js";
import type { App } from "../kernel/app.js";
import { AppError, ERROR_CODES } from "../kernel/app-error.js";
import type { Metrics } from "../kernel/metrics.js";
import { decodeCursor, encodeCursor, type Position } from "./cursor.js";
import type { EventLog } from "./event-log.js";
import { NextMessage } from "./next-message.js";
import { PageMemo } from "./page-memo.js";
import { gapReason } from "./read-events.js";
import { ReaderGroup, type Rendered, type SharedQuery } from "./reader-group.js";
import type { Subscriber } from "./subscriber.js";

/** For how long sockets are written in one turn of the event loop, all groups together. */
const SLICE_MS = 5;
const HEARTBEAT_MS = 20_000;
/** In a catch-up: how long the quick wait for the slow before they part. */
const STRAGGLE_MS = 250;
const STALLED_MS = 30_000;

function countPages({ fanOut }: Metrics, written: number, message: NextMessage): void {
  fanOut.messages.inc(written);
  fanOut.bytes.inc(written * message.bytes);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Delivers the event log to subscribers. A query that thousands share is executed and serialised once per page, and
 * written to every socket. Nothing waits for a slow reader: its queue is bounded, and past the bound it is cut off with
 * the cursor from which it can go on.
 */
export class FanOut {
  private readonly groups = new Map<string, Set<ReaderGroup>>();
  private readonly memo = new PageMemo();
  private readonly working = new Set<Promise<void>>();
  private readonly stopping = new AbortController();
  private stopListening = () => {};
  private heart: Promise<void> | null = null;
  /** When writing began in this turn. */
  private turnBegan: number | null = null;

  constructor(
    private readonly app: App,
    private readonly log: EventLog,
  ) {}

  start(): void {
    this.stopListening = this.log.onAdvance(() => {
      for (const group of this.allGroups()) this.wake(group);
    });
    this.heart = this.beat(this.stopping.signal);
  }

  async stop(): Promise<void> {
    this.stopListening();
    this.stopping.abort();
    await this.heart;
    await Promise.all(this.working);
  }

  get subscriberCount(): number {
    return [...this.allGroups()].reduce((sum, group) => sum + group.members.size, 0);
  }

  get groupCount(): number {
    return [...this.allGroups()].length;
  }

  /**
   * Begins to deliver: from now, or after a cursor. Ends when `subscriber` stops.
   * @throws {AppError} BAD_INPUT; UNAVAILABLE when nobody can tell whether the cursor is ahead of the log
   */
  async join(subscriber: Subscriber, query: SharedQuery, after: string | null): Promise<void> {
    let position = this.log.position();
    if (after) {
      const from = decodeCursor(after);
      // Another replica may have committed it a moment ago.
      if (gapReason(from, position) === "AHEAD" && !(await this.log.refresh()))
        throw new AppError("UNAVAILABLE", ERROR_CODES.UNAVAILABLE.meaning);
      position = this.log.position();
      const reason = gapReason(from, position);
      if (reason) subscriber.send(new NextMessage(await query.renderGap(reason)));
      position = { epoch: position.epoch, seq: reason ? 0 : from.seq };
    }
    // Everybody hears at once, or at the end of the catch-up, where now is: a client whose connection breaks before the
    // first event could not resume without.
    if (position.seq === this.log.head) subscriber.send(await this.emptyPage(query, position));
    this.place(subscriber, query, position);
    void subscriber.ended.then(() => this.leave(subscriber, query.key));
  }

  private *allGroups(): Iterable<ReaderGroup> {
    for (const groups of this.groups.values()) yield* groups;
  }

  private place(subscriber: Subscriber, query: SharedQuery, position: Position): void {
    const known = [...(this.groups.get(query.key) ?? [])].find((group) => !group.running && group.standsAt(position));
    const group = known ?? this.open(query, position);
    group.members.add(subscriber);
    // In the next turn: of thousands who come back after a restart, those of one turn read on together.
    if (!known) setImmediate(() => this.wake(group));
  }

  private open(query: SharedQuery, position: Position): ReaderGroup {
    const group = new ReaderGroup(query, position);
    group.sentAt = this.app.clock.monotonic();
    group.toldCaughtUp = group.standsAt(this.log.position());
    const groups = this.groups.get(query.key) ?? new Set();
    this.groups.set(query.key, groups.add(group));
    return group;
  }

  private leave(subscriber: Subscriber, key: string): void {
    const groups = this.groups.get(key);
    for (const group of groups ?? []) {
      if (group.members.delete(subscriber) && group.members.size === 0) groups!.delete(group);
    }
    if (groups?.size === 0) this.groups.delete(key);
  }

  private wake(group: ReaderGroup): void {
    if (group.running || group.standsAt(this.log.position())) return;
    if (this.hasNewsFor(group)) this.occupy(group, () => this.readOn(group));
    else {
      group.position = this.log.position();
      this.meet(group);
    }
  }

  /** False when nothing new passes its filter, as for most of many filters: then there is nothing to read or to say. */
  private hasNewsFor({ query, position, toldCaughtUp }: ReaderGroup): boolean {
    if (!toldCaughtUp || position.epoch !== this.log.epoch) return true;
    const news = this.log.newest(this.log.head - position.seq);
    return !news || news.some(query.matches);
  }

  /** One piece of work at a time in a group: pages must reach a socket in their order. */
  private occupy(group: ReaderGroup, work: () => Promise<void>): void {
    if (group.running || this.stopping.signal.aborted) return;
    group.running = true;
    const done = work()
      .catch(async (error) => {
        this.app.log.warn({ err: error }, "a subscription group cannot read on; trying again");
        await this.app.clock.sleep(1000, this.stopping.signal);
      })
      .then(() => {
        group.running = false;
        this.working.delete(done);
        if (group.members.size === 0) return;
        if (group.standsAt(this.log.position())) this.meet(group);
        else this.wake(group);
      });
    this.working.add(done);
  }

  private async readOn(group: ReaderGroup): Promise<void> {
    const { epoch } = this.log;
    // The database was restored to another point: say so, and begin with what it holds now.
    if (group.position.epoch !== epoch || group.position.seq > this.log.head) {
      await this.write(group, new NextMessage(await group.query.renderGap("EPOCH_CHANGED")));
      group.position = { epoch, seq: 0 };
    }
    const behind = () => this.log.head - group.position.seq;
    while (behind() > 0 && this.log.epoch === epoch && group.members.size > 0 && !this.stopping.signal.aborted) {
      const catchingUp = behind() > LIMITS.eventsPerPage;
      if (catchingUp) await this.letDrain(group);
      const { to, message } = await this.render(group, catchingUp);
      if (message) await this.write(group, message);
      group.position = { epoch, seq: to };
      if (message || catchingUp) group.toldCaughtUp = !catchingUp;
      if (catchingUp) await turn();
    }
    if (group.toldCaughtUp || !group.standsAt(this.log.position())) return;
    await this.write(group, await this.emptyPage(group.query, group.position));
    group.toldCaughtUp = true;
  }

  /** Pages of a catch-up end at multiples of `LIMITS.eventsPerPage`, so that readers from different cursors soon share them. */
  private render({ query, position }: ReaderGroup, catchingUp: boolean): Promise<Rendered> {
    const { epoch, seq } = position;
    const end = catchingUp ? seq + LIMITS.eventsPerPage - (seq % LIMITS.eventsPerPage) : this.log.head;
    return this.memo.get(`${epoch}:${seq}:${end}:${catchingUp}:${query.key}`, async () => {
      const read = await this.log.read(seq, end - seq);
      const to = read.at(-1)?.seq ?? end;
      const events = read.filter(query.matches);
      if (events.length === 0) return { to, message: null };
      return { to, message: new NextMessage(await query.render(events, { epoch, seq: to }, !catchingUp)) };
    });
  }

  /** A heartbeat: no events, only where the reader stands. */
  private async emptyPage(query: SharedQuery, position: Position): Promise<NextMessage> {
    const { epoch, seq } = position;
    const caughtUp = seq === this.log.head;
    const page = await this.memo.get(`${epoch}:${seq}:${caughtUp}:empty:${query.key}`, async () => ({
      to: seq,
      message: new NextMessage(await query.render([], position, caughtUp)),
    }));
    return page.message!;
  }

  private async write(group: ReaderGroup, message: NextMessage): Promise<void> {
    group.sentAt = this.app.clock.monotonic();
    let written = 0;
    for (const member of group.members) {
      while (this.turnIsOver()) await turn();
      if (member.isOverflowing) this.cutOff(member, group.position);
      else member.send(message);
      written++;
    }
    countPages(this.app.metrics, written, message);
  }

  /** Whether the others have to be let in before more is written. */
  private turnIsOver(): boolean {
    const now = this.app.clock.monotonic();
    if (this.turnBegan === null) {
      this.turnBegan = now;
      setImmediate(() => {
        this.turnBegan = null;
      });
    }
    return now - this.turnBegan >= SLICE_MS;
  }

  private cutOff(member: Subscriber, position: Position): void {
    this.app.metrics.fanOut.cutOff.inc();
    member.fail(
      new AppError(
        "SLOW_CONSUMER",
        "This subscriber reads too slowly and was cut off; subscribe again after `lastCursor`.",
        { lastCursor: encodeCursor(position) },
      ),
    );
  }

  /** Who catches up waits for the socket. Who is slower than the others goes on apart; who stands still is let go. */
  private async letDrain(group: ReaderGroup): Promise<void> {
    const drained = [...group.members].map((member) => member.drained());
    if (await this.within(STRAGGLE_MS, Promise.all(drained))) return;
    if ([...group.members].some((member) => member.isDrained)) return this.partFromSlow(group);
    if (await this.within(STALLED_MS, Promise.race(drained))) return this.letDrain(group);
    if (this.stopping.signal.aborted) return;
    for (const member of group.members) member.terminate();
  }

  private partFromSlow(group: ReaderGroup): void {
    const slow = this.open(group.query, group.position);
    for (const member of group.members) {
      if (member.isDrained) continue;
      group.members.delete(member);
      slow.members.add(member);
    }
    if (slow.members.size > 0) this.wake(slow);
    else this.groups.get(group.query.key)!.delete(slow);
  }

  private async within(ms: number, work: Promise<unknown>): Promise<boolean> {
    const enough = new AbortController();
    const tooLate = this.app.clock.sleep(ms, AbortSignal.any([enough.signal, this.stopping.signal]));
    try {
      return await Promise.race([work.then(() => true), tooLate.then(() => false)]);
    } finally {
      enough.abort();
    }
  }

  /** Two groups of one query at one position are one group. */
  private meet(group: ReaderGroup): void {
    for (const other of this.groups.get(group.query.key) ?? []) {
      if (other === group || other.running || !other.standsAt(group.position)) continue;
      const [large, small] = other.members.size > group.members.size ? [other, group] : [group, other];
      large.absorb(small);
      this.groups.get(group.query.key)!.delete(small);
      return;
    }
  }

  private async beat(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.app.clock.sleep(1000, signal);
      const due = this.app.clock.monotonic() - HEARTBEAT_MS;
      for (const group of this.allGroups()) {
        if (group.sentAt > due) continue;
        this.occupy(group, async () => this.write(group, await this.emptyPage(group.query, group.position)));
      }
    }
  }
}
