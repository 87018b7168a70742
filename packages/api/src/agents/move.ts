import type { Transition } from "../signals/evaluate.js";
import type { AgentSession } from "./agent-session.js";
import type { ProbeRow } from "./probe.table.js";
import type { Slot, SlotOutcome } from "./state-cache.js";

/** A slot that a flush moved. */
export interface Touched {
  session: AgentSession;
  probe: ProbeRow;
  slot: Slot;
}

/** A transition that somebody must hear of. */
export interface Move extends Touched {
  outcome: SlotOutcome;
  transition: Transition;
}
