import { EventEmitter, once } from "node:events";
import { setImmediate } from "node:timers/promises";
import type { Event } from "../events.js";

type Page = {
  events: Event[];
  cursor: string;
  caughtUp: boolean;
  gap: { reason: string; oldestCursor: string } | null;
};

/** An event log that answers `incidentEvents`, and misbehaves on demand. */
export class FakeLog {
  readonly #events: Event[] = [];
  readonly #changed = new EventEmitter().setMaxListeners(0);
  epoch = "11111111-1111-4111-8111-111111111111";
  pageSize = 7;
  /** Consulted before each page; what it throws or returns goes out instead. */
  interfere: (position: number) => Partial<Page> | undefined = () => undefined;
  /** Subscriptions under way. */
  open = 0;

  cursor(seq: number): string {
    return Buffer.from(`v1:${this.epoch}:${seq}`).toString("base64url");
  }

  append(count: number, over: Partial<Event> = {}): void {
    for (let i = 0; i < count; i++) this.#events.push({ ...this.#event(this.#events.length + 1), ...over });
    this.#changed.emit("change");
  }

  /** The events after `from`, up to and with `to`. */
  between(from: number, to: number): Event[] {
    return this.#events.slice(from, to);
  }

  readonly roots = { incidentEvents: ({ after }: { after?: string }) => this.#subscribe(after) };

  #event(seq: number): Event {
    return {
      cursor: this.cursor(seq),
      type: "incident.raised",
      at: "2026-01-01T00:00:00Z",
      actor: "test",
      incidentId: null,
      serviceId: null,
      severity: "P1",
      summary: `event ${seq}`,
      payload: {},
    };
  }

  #subscribe(after: string | undefined): AsyncIterableIterator<{ incidentEvents: Page }> {
    let position = after ? Number(Buffer.from(after, "base64url").toString().split(":")[2]) : this.#events.length;
    let done = false;
    this.open++;
    const end = new AbortController();
    const finish = () => {
      if (!done) this.open--;
      done = true;
      end.abort();
      return { done: true as const, value: undefined };
    };
    const next = async (): Promise<IteratorResult<{ incidentEvents: Page }>> => {
      // A misbehaving log always has an answer ready; without a pause it would starve the sockets.
      await setImmediate();
      if (done) return finish();
      let page: Partial<Page> | undefined;
      try {
        page = this.interfere(position);
      } catch (error) {
        finish();
        throw error;
      }
      const events = this.#events.slice(position, position + this.pageSize);
      if (!page && events.length === 0) {
        await once(this.#changed, "change", { signal: end.signal }).catch(() => {});
        return next();
      }
      if (!page) position += events.length;
      const cursor = this.cursor(position);
      return { done: false, value: { incidentEvents: { events, cursor, caughtUp: true, gap: null, ...page } } };
    };
    return {
      next,
      return: async () => finish(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
