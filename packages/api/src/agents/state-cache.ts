import type { Result } from "@poppo-ops/plugins/wire";
import type { SignalState } from "../signals/evaluate.js";

/** The state of one probed thing: as the table has it, and as the flush under way would leave it. */
export interface Slot {
  item: string;
  /** What is committed; undefined while the table has no row. */
  state: SignalState | undefined;
  /** What the flush under way makes of it; undefined when it does not touch it. */
  next: SignalState | undefined;
  /** The outcome that `next` comes from. */
  outcome: SlotOutcome | undefined;
  /** When the row was last written. Milliseconds, by the database's clock. */
  writtenAt: number;
}

export interface SlotOutcome extends Pick<Result, "status" | "summary" | "evidence"> {
  /** JSON. */
  metrics: string | null;
}

/** A row of the table. */
export interface StoredState {
  probeId: string;
  item: string;
  state: SignalState;
}

export interface ProbeSlots {
  byItem: Map<string, Slot>;
  /** When items that the probe no longer mentions were last looked for. */
  sweptAt: number;
  /** Since when its results came without a pause in this session, and the newest of them. Milliseconds, by our clock. */
  reportsSince: number;
  reportedAt: number;
}

/**
 * What `probe_state` holds for one agent, in the memory of the replica that has its session. It is equal to the table
 * while the session lasts, because only this replica writes there; after a flush whose fate is unknown it is read anew.
 */
export class StateCache {
  loaded = false;
  private readonly byProbe = new Map<string, ProbeSlots>();

  load(rows: Iterable<StoredState>): void {
    this.byProbe.clear();
    for (const { probeId, item, state } of rows) {
      this.slotsOf(probeId).byItem.set(item, { item, state, next: undefined, outcome: undefined, writtenAt: 0 });
    }
    this.loaded = true;
  }

  forget(): void {
    this.byProbe.clear();
    this.loaded = false;
  }

  slotsOf(probeId: string): ProbeSlots {
    let slots = this.byProbe.get(probeId);
    if (!slots) {
      slots = { byItem: new Map(), sweptAt: 0, reportsSince: 0, reportedAt: Number.NEGATIVE_INFINITY };
      this.byProbe.set(probeId, slots);
    }
    return slots;
  }

  slot(slots: ProbeSlots, item: string): Slot {
    let slot = slots.byItem.get(item);
    if (!slot) {
      slot = { item, state: undefined, next: undefined, outcome: undefined, writtenAt: 0 };
      slots.byItem.set(item, slot);
    }
    return slot;
  }
}
