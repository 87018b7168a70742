import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import type { EventLog } from "./event-log.js";
import { gapReason } from "./read-events.js";
import { ReaderGroup, type Rendered, type SharedQuery } from "./reader-group.js";
import type { Subscriber } from "./subscriber.js";

const PAGE = 200;
/** Sockets written in one turn of the event loop: about 5 ms of work. */
const SLICE = 250;
const HEARTBEAT_MS = 20_000;
const STALLED_MS = 30_000;
const MEMO_BYTES = 16 * 1024 * 1024;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Delivers the event log to subscribers. A query that thousands share is executed and serialised once per page, and
 * written to every socket. Nothing waits for a slow reader: its queue is bounded, and past the bound it is cut off with
 * the cursor from which it can go on.
 */
export class FanOut {
  private readonly groups = new Map<string, Set<ReaderGroup>>();
  /** Rendered pages: after a restart thousands ask for the very same ones. */
  private readonly memo = new Map<string, Rendered>();
  private memoBytes = 0;
  private readonly stopping = new AbortController();
  private stopListening = () => {};
  private heart: Promise<void> | null = null;

  constructor(
    private readonly app: App,
    private readonly log: EventLog,
  ) {}

  start(): void {
    this.stopListening = this.log.onAdvance(() => {
      for (const groups of this.groups.values()) for (const group of groups) this.wake(group);
    });
    this.heart = this.beat(this.stopping.signal);
  }

  async stop(): Promise<void> {
    this.stopListening();
    this.stopping.abort();
    await this.heart;
  }

  get subscriberCount(): number {
    let count = 0;
    for (const groups of this.groups.values()) for (const group of groups) count += group.members.size;
    return count;
  }

  /** Begins to deliver: from now, or after a cursor. Ends when `subscriber` stops. */
  async join(subscriber: Subscriber, query: SharedQuery, after: string | null): Promise<void> {
    let position = this.log.head;
    if (after) {
      const from = decodeCursor(after);
      // Another replica may have committed it a moment ago.
      if (from.epoch === this.log.epoch && from.seq > this.log.head) await this.log.refresh();
      const reason = gapReason(from, this.log.position());
      if (reason) subscriber.send(await query.renderGap(reason));
      position = reason ? 0 : from.seq;
    } else {
      // Without a cursor to begin with, a client whose connection broke before the first event could not resume.
      subscriber.send(await this.emptyPage(query, position));
    }
    this.place(subscriber, query, position);
    void subscriber.ended.then(() => this.leave(subscriber, query.key));
  }

  private place(subscriber: Subscriber, query: SharedQuery, position: number): void {
    const groups = this.groups.get(query.key) ?? new Set();
    this.groups.set(query.key, groups);
    let group = [...groups].find((g) => g.position === position && !g.running);
    if (!group) {
      group = new ReaderGroup(query, position);
      group.sentAt = this.app.clock.monotonic();
      groups.add(group);
    }
    group.members.add(subscriber);
    this.wake(group);
  }

  private leave(subscriber: Subscriber, key: string): void {
    const groups = this.groups.get(key);
    for (const group of groups ?? []) {
      if (group.members.delete(subscriber) && group.members.size === 0) groups!.delete(group);
    }
    if (groups?.size === 0) this.groups.delete(key);
  }

  private wake(group: ReaderGroup): void {
    if (group.running || group.position === this.log.head) return;
    group.running = true;
    void this.readOn(group)
      .catch(async (error) => {
        this.app.log.warn({ err: error }, "a subscription group cannot read on; trying again");
        await this.app.clock.sleep(1000, this.stopping.signal);
      })
      .finally(() => {
        group.running = false;
        if (this.stopping.signal.aborted || group.members.size === 0) return;
        if (group.position === this.log.head) this.meet(group);
        else this.wake(group);
      });
  }

  private async readOn(group: ReaderGroup): Promise<void> {
    // The database was restored to an earlier point: say so, and begin with what it holds now.
    if (group.position > this.log.head) {
      this.deliver(group, await group.query.renderGap("EPOCH_CHANGED"));
      group.position = 0;
    }
    const wasBehind = this.log.head - group.position > PAGE;
    while (group.position < this.log.head && group.members.size > 0 && !this.stopping.signal.aborted) {
      const catchingUp = this.log.head - group.position > PAGE;
      const { to, body } = await this.render(group, catchingUp);
      if (body) await this.write(group, body);
      group.position = to;
      if (!catchingUp) continue;
      await this.letDrain(group);
      await turn();
    }
    if (wasBehind) await this.write(group, await this.emptyPage(group.query, group.position));
  }

  /** Pages of a catch-up end at multiples of PAGE, so that readers from different cursors soon share them. */
  private async render({ query, position }: ReaderGroup, catchingUp: boolean): Promise<Rendered> {
    const end = catchingUp ? position + PAGE - (position % PAGE) : this.log.head;
    const memoKey = `${position}:${end}:${catchingUp}:${query.key}`;
    const known = this.memo.get(memoKey);
    if (known) return known;
    const read = await this.log.read(position, end - position);
    const to = read.at(-1)?.seq ?? end;
    const events = read.filter(query.matches);
    const rendered = { to, body: events.length > 0 ? await query.render(events, to, !catchingUp) : null };
    this.remember(memoKey, rendered);
    return rendered;
  }

  private remember(key: string, rendered: Rendered): void {
    this.memo.set(key, rendered);
    this.memoBytes += key.length + (rendered.body?.length ?? 0);
    while (this.memoBytes > MEMO_BYTES) {
      const [oldest, { body }] = this.memo.entries().next().value!;
      this.memo.delete(oldest);
      this.memoBytes -= oldest.length + (body?.length ?? 0);
    }
  }

  private async write(group: ReaderGroup, body: string): Promise<void> {
    group.sentAt = this.app.clock.monotonic();
    let written = 0;
    for (const member of group.members) {
      this.deliverTo(member, group, body);
      if (++written % SLICE === 0) await turn();
    }
  }

  private deliver(group: ReaderGroup, body: string): void {
    for (const member of group.members) this.deliverTo(member, group, body);
  }

  private deliverTo(member: Subscriber, group: ReaderGroup, body: string): void {
    if (member.isOverflowing) this.cutOff(member, group.position);
    else member.send(body);
  }

  private cutOff(member: Subscriber, position: number): void {
    const lastCursor = encodeCursor({ epoch: this.log.epoch, seq: position });
    member.fail(
      new AppError(
        "SLOW_CONSUMER",
        "This subscriber reads too slowly and was cut off; subscribe again after `lastCursor`.",
        { lastCursor },
      ),
    );
  }

  /** A reader that catches up waits for its socket, not for its neighbours; one that stands still is let go. */
  private async letDrain(group: ReaderGroup): Promise<void> {
    const giveUp = new AbortController();
    const stalled = this.app.clock
      .sleep(STALLED_MS, AbortSignal.any([giveUp.signal, this.stopping.signal]))
      .then(() => "stalled" as const);
    const outcome = await Promise.race([Promise.all([...group.members].map((member) => member.drained())), stalled]);
    giveUp.abort();
    if (outcome !== "stalled" || this.stopping.signal.aborted) return;
    for (const member of group.members) if (member.isOverflowing) member.terminate();
  }

  /** A heartbeat: no events, only where the reader stands. */
  private async emptyPage(query: SharedQuery, position: number): Promise<string> {
    const caughtUp = position === this.log.head;
    const memoKey = `${position}:${caughtUp}:empty:${query.key}`;
    const known = this.memo.get(memoKey)?.body;
    if (known) return known;
    const body = await query.render([], position, caughtUp);
    this.remember(memoKey, { to: position, body });
    return body;
  }

  /** Two groups of one query at one position are one group. */
  private meet(group: ReaderGroup): void {
    for (const other of this.groups.get(group.query.key) ?? []) {
      if (other === group || other.running || other.position !== group.position) continue;
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
      for (const groups of this.groups.values()) {
        for (const group of groups) {
          if (group.running || group.sentAt > due || signal.aborted) continue;
          await this.write(group, await this.emptyPage(group.query, group.position)).catch(() => {});
        }
      }
    }
  }
}
