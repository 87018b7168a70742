import type { Result } from "@poppo-ops/plugins/wire";
import type { Assignment } from "./assignment.js";
import { observation } from "./limit-outcome.js";
import type { Places } from "./places.js";
import { type ProbeRun, type RunProbeOptions, runProbe } from "./run-probe.js";
import { firstRunAt, isGood, nextRunAt } from "./timing.js";

export interface LaneOptions extends RunProbeOptions {
  places: Places;
  report(results: Result[]): void;
  warn(message: string, details?: object): void;
}

const QUARANTINE = { afterIgnoredAborts: 3, firstMs: 30_000, longestMs: 300_000 };

/** One assigned probe and its schedule. It never runs twice at once, and whatever it does hurts only this lane. */
export class Lane {
  #memory = new Map<string, unknown>();
  #attempts = 0;
  #ignoredAborts = 0;
  #quarantineMs = QUARANTINE.firstMs;
  #watch = { everyMs: 0, until: 0 };
  #running: Promise<Result[]> | undefined;
  #stop = new AbortController();
  #silent = false;
  #cancelTimer: () => void = () => {};

  constructor(
    readonly assignment: Assignment,
    private readonly options: LaneOptions,
  ) {}

  start(): void {
    this.#schedule(firstRunAt(this.assignment, this.options.clock.monotonic()));
  }

  /** Runs now, or once more right after the run under way: what it reports was observed after this call. */
  async runNow(): Promise<Result[]> {
    while (this.#running) await this.#running;
    return this.#run();
  }

  /** Runs now and then every `everyMs` until `forMs` have passed, whatever the schedule says. */
  watch(everyMs: number, forMs: number): void {
    this.#watch = { everyMs, until: this.options.clock.monotonic() + forMs };
    void this.runNow();
  }

  unwatch(): void {
    this.#watch.until = 0;
  }

  /** A run under way becomes INTERRUPTED; `silent` when nobody wants its result any more. */
  async stop({ silent }: { silent: boolean }): Promise<void> {
    this.#silent = silent;
    this.#stop.abort();
    this.#cancelTimer();
    await this.#running;
  }

  #run(): Promise<Result[]> {
    this.#cancelTimer();
    this.#running = this.#runOnce().finally(() => {
      this.#running = undefined;
      this.#schedule(this.#nextAt());
    });
    return this.#running;
  }

  async #runOnce(): Promise<Result[]> {
    const release = await this.options.places.take();
    try {
      const run = await runProbe(this.assignment, this.#memory, this.#stop.signal, this.options);
      const results = this.#judge(run);
      if (!this.#silent) this.options.report(results);
      return results;
    } finally {
      release();
    }
  }

  #judge({ results, abandoned }: ProbeRun): Result[] {
    this.#attempts = results.every(({ status }) => isGood(status)) ? 0 : this.#attempts + 1;
    if (!abandoned) {
      this.#ignoredAborts = 0;
      this.#quarantineMs = QUARANTINE.firstMs;
      return results;
    }
    // The abandoned run may still write to its memory; the next run gets its own.
    this.#memory = new Map(this.#memory);
    this.#ignoredAborts++;
    const { name, kind, timeoutMs } = this.assignment;
    this.options.warn(`probe ${name} (${kind}) goes on after its timeout of ${timeoutMs} ms; its result is discarded`);
    return this.#quarantined ? [...results, ...this.#quarantineNotice(results)] : results;
  }

  get #quarantined(): boolean {
    return this.#ignoredAborts >= QUARANTINE.afterIgnoredAborts;
  }

  #quarantineNotice(results: Result[]): Result[] {
    const seconds = Math.round(this.#quarantineMs / 1000);
    const text = `quarantined: the probe ignored its timeout ${this.#ignoredAborts} times; next try in ${seconds} s`;
    return results.slice(0, 1).map((result) => ({ ...result, ...observation("UNKNOWN", text) }));
  }

  #nextAt(): number {
    const now = this.options.clock.monotonic();
    if (this.#quarantined) {
      const waitMs = this.#quarantineMs;
      this.#quarantineMs = Math.min(QUARANTINE.longestMs, waitMs * 2);
      return now + waitMs;
    }
    const next = nextRunAt(this.assignment, this.#attempts, now);
    return now < this.#watch.until ? Math.min(next, now + this.#watch.everyMs) : next;
  }

  #schedule(at: number): void {
    if (this.#stop.signal.aborted) return;
    this.#cancelTimer();
    this.#cancelTimer = this.options.clock.after(at - this.options.clock.monotonic(), () => {
      if (!this.#running) void this.#run();
    });
  }
}
