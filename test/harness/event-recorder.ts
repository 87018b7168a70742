import type { Client, Event, EventFilter } from "@poppo-ops/client";

/** Follows the event log through the SDK, as an external tool would, and remembers every event it was given. */
export class EventRecorder implements AsyncDisposable {
  readonly events: Event[] = [];
  private readonly stopping = new AbortController();
  private readonly waiting = new Set<() => void>();
  private readonly following: Promise<void>;

  constructor(
    client: Client,
    after?: string,
    readonly filter?: EventFilter,
  ) {
    this.following = this.follow(client, after);
  }

  /** The first event that fits, of those that came and those that come. */
  async find(description: string, fits: (event: Event) => boolean, withinMs = 15_000): Promise<Event> {
    const deadline = AbortSignal.timeout(withinMs);
    const timeUp = new Promise<void>((resolve) => deadline.addEventListener("abort", () => resolve(), { once: true }));
    // Each event is looked at once: a thousand recorders of thousands of events are looked through together.
    for (let next = 0; ; ) {
      for (; next < this.events.length; next++) if (fits(this.events[next]!)) return this.events[next]!;
      if (deadline.aborted)
        throw new Error(`no event within ${withinMs} ms: ${description}. Seen: ${this.types().join(", ")}`);
      await Promise.race([timeUp, new Promise<void>((resolve) => this.waiting.add(resolve))]);
    }
  }

  ofType(type: string, withinMs?: number): Promise<Event> {
    return this.find(type, (event) => event.type === type, withinMs);
  }

  types(): string[] {
    return this.events.map((event) => event.type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.following;
  }

  private async follow(client: Client, after?: string): Promise<void> {
    for await (const event of client.events({ after, filter: this.filter, signal: this.stopping.signal })) {
      this.events.push(event);
      for (const wake of this.waiting) wake();
      this.waiting.clear();
    }
  }
}
