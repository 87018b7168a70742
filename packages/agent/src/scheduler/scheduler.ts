import type { Result } from "@poppo-ops/plugins/wire";
import type { Assignments } from "./assignment.js";
import { Lane, type LaneOptions } from "./lane.js";
import { Places } from "./places.js";

export interface SchedulerOptions extends Omit<LaneOptions, "places"> {
  /** How many probes run at once. */
  concurrency?: number;
}

/** Runs the assigned probes, each in a lane of its own. */
export class Scheduler {
  #lanes = new Map<string, Lane>();
  #options: LaneOptions;

  constructor({ concurrency = 8, ...options }: SchedulerOptions) {
    this.#options = { ...options, places: new Places(concurrency) };
  }

  /** Makes the running probes exactly these. An unchanged probe keeps its schedule and its memory. */
  assign({ probes }: Assignments): void {
    const wanted = new Map(probes.map((assignment) => [assignment.probeId, assignment]));
    for (const [probeId, lane] of this.#lanes) {
      if (JSON.stringify(wanted.get(probeId)) === JSON.stringify(lane.assignment)) continue;
      this.#lanes.delete(probeId);
      void lane.stop({ silent: true });
    }
    for (const [probeId, assignment] of wanted) {
      if (this.#lanes.has(probeId)) continue;
      const lane = new Lane(assignment, this.#options);
      this.#lanes.set(probeId, lane);
      lane.start();
    }
  }

  /** Runs an assigned probe at once; resolves with what it reported. `undefined`: it is not assigned here. */
  runNow(probeId: string): Promise<Result[]> | undefined {
    return this.#lanes.get(probeId)?.runNow();
  }

  /** @returns false when the probe is not assigned here */
  watch(probeId: string, everyMs: number, forMs: number): boolean {
    const lane = this.#lanes.get(probeId);
    lane?.watch(everyMs, forMs);
    return lane !== undefined;
  }

  unwatch(probeId: string): void {
    this.#lanes.get(probeId)?.unwatch();
  }

  /** Nothing runs any more once this resolves, unless it ignores its signal; probes under way have reported INTERRUPTED. */
  async stop(): Promise<void> {
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    await Promise.all(lanes.map((lane) => lane.stop({ silent: false })));
  }
}
