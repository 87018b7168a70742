import { OUTCOME_STATUSES, type OutcomeStatus, type ReceivedBatch } from "@poppo-ops/plugins/wire";
import { evaluate } from "../signals/evaluate.js";
import type { Admitted } from "./admit.js";
import type { AgentSession } from "./agent-session.js";
import { ResultColumns } from "./ingest.store.js";
import type { Move, Touched } from "./move.js";
import type { ProbeRow } from "./probe.table.js";
import { type ProbeCatalogue, reportingDeadlineMs } from "./probe-catalogue.js";
import type { ProbeSlots, Slot, SlotOutcome } from "./state-cache.js";

interface Unswept {
  session: AgentSession;
  probe: ProbeRow;
  slots: ProbeSlots;
}

/** A result that arrives later than this, and than three intervals, is history: it neither pages nor remediates. */
const LATE_MS = 60_000;
/**
 * An unchanged state of a probe that runs this often, or oftener, is written at most once a second and not twice per
 * interval: no row version per result of a burst. What runs once an hour is seen at once when somebody asks for it.
 */
const OFTEN_MS = 10_000;
const REFRESH_MS = 1000;
/** How often the items of a probe are searched for some that are gone. */
const SWEEP_MS = 1000;
/** Of a whole run: the engine did not answer, the disks could not be read. What such a run does not mention may be there. */
const SAW_NOTHING: readonly OutcomeStatus[] = ["UNKNOWN", "TIMEOUT", "INTERRUPTED"];
const GONE: SlotOutcome = {
  status: "NOT_APPLICABLE",
  summary: "the probe no longer reports it",
  metrics: null,
  evidence: null,
};

/** What one flush makes of the states: held aside until it is committed. */
export class Evaluations {
  columns = new ResultColumns();
  private touched: Touched[] = [];
  private moves: Move[] = [];
  private unswept: Unswept[] = [];
  private now = 0;

  constructor(private readonly catalogue: ProbeCatalogue) {}

  /** The hot path: once per result. */
  evaluate(admitted: Admitted[], now: number): void {
    this.now = now;
    for (const { session, batch, admission } of admitted) {
      const agent = this.columns.agent(session.agentId);
      const probes = batch.probes.map((id) => this.catalogue.get(id));
      const numbers = batch.probes.map((id) => this.columns.probe(id));
      for (let row = admission.skip; row < batch.rows; row++) {
        const place = batch.probe[row]!;
        const probe = probes[place];
        // The probe was deleted while its result was on the way: there is nothing it could belong to.
        if (!probe) continue;
        const at = observedAt(session, batch.at[row]!, now);
        this.columns.add(agent, numbers[place]!, at, batch, row);
        if (probe.enabled && at >= now - Math.max(LATE_MS, 3 * probe.intervalMs))
          this.take(session, probe, batch, row, at);
      }
    }
    for (const unswept of this.unswept) this.sweep(unswept);
  }

  /** The states to write now. */
  get due(): Touched[] {
    return this.touched.filter(({ slot, probe }) => isDue(slot, probe, this.now));
  }

  /** The transitions of what could be written: with a probe that was deleted at the same time its troubles are gone. */
  written(slots: Set<Slot>): Move[] {
    for (const slot of slots) slot.writtenAt = this.now;
    return this.moves.filter(({ slot }) => slots.has(slot));
  }

  /** The transaction is committed: what it made of the states is what they are. */
  commit(): void {
    for (const { slot } of this.touched) slot.state = slot.next;
    this.reset();
  }

  reset(): void {
    for (const { slot } of this.touched) {
      slot.next = undefined;
      slot.outcome = undefined;
    }
    this.columns = new ResultColumns();
    this.touched = [];
    this.moves = [];
    this.unswept = [];
  }

  private take(session: AgentSession, probe: ProbeRow, batch: ReceivedBatch, row: number, at: number): void {
    const slots = session.states.slotsOf(probe.id);
    const slot = session.states.slot(slots, batch.item[row]!);
    const before = slot.next ?? slot.state;
    if (before && at < before.lastAt) return;
    noteReport(slots, at, reportingDeadlineMs(probe));
    this.move(session, probe, slot, outcomeOf(batch, row), at);
    if (this.now - slots.sweptAt < SWEEP_MS) return;
    slots.sweptAt = this.now;
    this.unswept.push({ session, probe, slots });
  }

  private move(session: AgentSession, probe: ProbeRow, slot: Slot, outcome: SlotOutcome, at: number): void {
    const seen = { status: outcome.status, at };
    const { state, transition } = evaluate(slot.next ?? slot.state, seen, probe.rules, reportingDeadlineMs(probe));
    if (!slot.next) this.touched.push({ session, probe, slot });
    slot.next = state;
    slot.outcome = outcome;
    if (transition) this.moves.push({ session, probe, slot, outcome, transition });
  }

  /**
   * An item that its probe has not mentioned for long, though it saw others all that time, is gone. All that time: of the
   * first run after a pause half may be here, and the rest in the next batch.
   */
  private sweep({ session, probe, slots }: Unswept): void {
    if (slots.byItem.size === 1) return;
    const oldest = slots.reportedAt - reportingDeadlineMs(probe);
    if (slots.reportsSince > oldest) return;
    const whole = slots.byItem.get("");
    const run = whole && (whole.next ?? whole.state);
    if (run && run.lastAt >= oldest && SAW_NOTHING.includes(run.status)) return;
    for (const slot of slots.byItem.values()) {
      const state = slot.next ?? slot.state;
      if (state && state.lastAt < oldest && state.status !== "NOT_APPLICABLE")
        this.move(session, probe, slot, GONE, slots.reportedAt);
    }
  }
}

const outcomeOf = ({ status, summary, metrics, evidence }: ReceivedBatch, row: number): SlotOutcome => ({
  status: OUTCOME_STATUSES[status[row]!]!,
  summary: summary[row]!,
  metrics: metrics[row]!,
  evidence: evidence[row]!,
});

/** A probe that was silent for longer than its deadline begins anew. */
function noteReport(slots: ProbeSlots, at: number, deadlineMs: number): void {
  if (at - slots.reportedAt > deadlineMs) slots.reportsSince = at;
  slots.reportedAt = Math.max(slots.reportedAt, at);
}

/** When it was seen, by our clock: an agent whose clock is wrong must not look late, nor ahead of its next results. */
const observedAt = ({ clockSkewMs }: AgentSession, at: number, now: number): number => Math.min(at - clockSkewMs, now);

/** A change is written at once, sameness now and then. */
function isDue({ state, next, writtenAt }: Slot, { intervalMs }: ProbeRow, now: number): boolean {
  if (!state || !next) return true;
  return (
    state.status !== next.status ||
    state.hardStatus !== next.hardStatus ||
    state.problem !== next.problem ||
    state.attempt !== next.attempt ||
    state.flapping !== next.flapping ||
    intervalMs > OFTEN_MS ||
    now - writtenAt >= Math.max(REFRESH_MS, intervalMs / 2)
  );
}
