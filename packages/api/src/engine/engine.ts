import { setMaxListeners } from "node:events";
import type { App } from "../kernel/app.js";

/** Something to look after again and again. `step` does a bounded piece of work and returns how much it did. */
export interface Module {
  name: string;
  /** A step that did this much is run again at once: there may be more. */
  batch: number;
  /** Milliseconds from one sweep to the next, whatever wakes it in between. */
  everyMs: number;
  /** Hint topics (or their beginnings) that wake it at once. */
  wakeOn?: (topic: string) => boolean;
  step(): Promise<number>;
}

/** From a hint to the look it asks for, in milliseconds. */
export const SETTLE_MS = 10;
/** Hints that never end keep a module at work for a tenth of the time, so that those who wait for answers have the rest. */
const REST = 9;

/**
 * Runs each module in a loop of its own: a hint wakes it at once, a sweep is the safety net, and a module that fails
 * waits a while without stopping the others.
 */
export class Engine {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>[] = [];
  private readonly stopHints: (() => void)[] = [];

  constructor(private readonly app: App) {}

  start(modules: Module[]): void {
    // When the database is away every module waits for the same signal; Node takes more than ten for a leak.
    setMaxListeners(0, this.stopping.signal);
    for (const [i, module] of modules.entries())
      this.running.push(this.run(module, (i / modules.length) * module.everyMs, this.stopping.signal));
  }

  /** Resolves after the steps under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    for (const stop of this.stopHints) stop();
    await Promise.all(this.running);
  }

  /** @param offsetMs where its sweeps stand in its interval: those of all modules at once would keep others waiting */
  private async run(module: Module, offsetMs: number, signal: AbortSignal): Promise<void> {
    const alarm = new Alarm();
    if (module.wakeOn) this.stopHints.push(this.app.hints.subscribe((topic) => module.wakeOn!(topic) && alarm.ring()));
    let failures = 0;
    const { clock } = this.app;
    const untilSweep = () => module.everyMs - ((clock.monotonic() + module.everyMs - offsetMs) % module.everyMs);
    while (!signal.aborted) {
      const began = clock.monotonic();
      try {
        while (!signal.aborted && (await module.step()) >= module.batch);
        failures = 0;
      } catch (error) {
        failures++;
        this.app.log.warn({ err: error, module: module.name, failures }, "an engine module failed; trying again");
      }
      if (failures > 0) {
        // Hints come many times a second; one that fails must not try again with each of them.
        await clock.sleep(module.everyMs * Math.min(2 ** failures, 32), signal);
      } else {
        const ended = clock.monotonic();
        const restUntil = ended + Math.min((ended - began) * REST, module.everyMs);
        await alarm.rungOr((ring) => clock.sleep(untilSweep(), AbortSignal.any([signal, ring])));
        // What one commit says in several topics is one look, and subscribers hear of it first.
        if (alarm.rang) await clock.sleep(Math.max(SETTLE_MS, restUntil - clock.monotonic()), signal);
      }
      alarm.rang = false;
    }
  }
}

/** A bell that is heard also when it rang while nobody waited. */
class Alarm {
  rang = false;
  private wake = () => {};

  ring(): void {
    this.rang = true;
    this.wake();
  }

  async rungOr(sleep: (ring: AbortSignal) => Promise<void>): Promise<void> {
    const bell = new AbortController();
    this.wake = () => bell.abort();
    if (!this.rang) await sleep(bell.signal);
    this.wake = () => {};
  }
}
