import type pg from "pg";
import type { Statement } from "../db/database.js";
import { resolveMany } from "../incidents/incident.service.js";
import { type Raised, raiseMany } from "../incidents/raise.js";
import type { Act } from "../kernel/command.js";
import { overIncidents } from "../signals/over-incidents.js";
import { recoveryText, type SignalOutcome, toIncident } from "../signals/signal.js";
import type { Move } from "./move.js";

/**
 * Makes incidents of transitions. Set-based: a storm of thousands takes the same few statements. The moves of one thing
 * are applied in their order, so one that failed again after a recovery within one flush gets a new incident.
 */
export async function applySignals(act: Act, moves: Move[]): Promise<void> {
  for (const round of rounds(moves)) {
    await raise(act, round.filter(is("raise", "worsen")));
    await recover(act, round.filter(is("recover")));
    await tellFlapping(act, round.filter(is("flapping-start", "flapping-stop")));
  }
}

const is =
  (...kinds: Move["transition"]["kind"][]) =>
  ({ transition }: Move) =>
    kinds.includes(transition.kind);

/** The first moves of every slot, then the second ones, and so on; nearly always there is one round. */
function rounds(moves: Move[]): Move[][] {
  const counts = new Map<object, number>();
  const result: Move[][] = [];
  for (const move of moves) {
    const round = counts.get(move.slot) ?? 0;
    counts.set(move.slot, round + 1);
    result[round] ??= [];
    result[round].push(move);
  }
  return result;
}

/** Notes by each state the incident it stands behind. `keys`: ids of agents and of probes, and items. */
export const linkIncidents = (keys: string[][], raised: Raised[]): Statement => ({
  name: "link_incidents",
  text: `UPDATE probe_state s SET incident_id = m.incident_id
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[]) m(agent_id, probe_id, item, incident_id)
    WHERE s.agent_id = m.agent_id AND s.probe_id = m.probe_id AND s.item = m.item`,
  values: [...keys, raised.map(({ incident }) => incident.id)],
});

async function raise(act: Act, moves: Move[]): Promise<void> {
  if (moves.length === 0) return;
  const raised = await raiseMany(
    act,
    moves.map((move) => toIncident(originOf(move), signalOf(move), move.transition.reason)),
  );
  act.send(linkIncidents(keyColumns(moves), raised));
}

/** A cause is gone. Its incident is resolved when it was the last one. */
async function recover(act: Act, moves: Move[]): Promise<void> {
  if (moves.length === 0) return;
  const incidentIds = await releaseIncidents(act.client, moves);
  if (incidentIds.size === 0) return;
  const over = await overIncidents(act.client, [...new Set(incidentIds.values())]);
  const texts = new Map<string, string[]>();
  for (const move of moves) {
    const raised = incidentIds.get(slotKey(move));
    const target = raised && over.get(raised);
    if (!target) continue;
    const text = recoveryText(move.probe.name, move.transition.reason);
    texts.set(text, [...(texts.get(text) ?? []), target]);
  }
  // One statement per probe and reason, not per incident.
  for (const [text, ids] of texts) await resolveMany(act, ids, text);
}

/** Takes the incidents off the states. @returns by slot the incident it raised */
async function releaseIncidents(client: pg.PoolClient, moves: Move[]): Promise<Map<string, string>> {
  const { rows } = await client.query(
    `WITH held AS (
       SELECT s.agent_id, s.probe_id, s.item, s.incident_id FROM probe_state s
       JOIN unnest($1::uuid[], $2::uuid[], $3::text[]) m(agent_id, probe_id, item) USING (agent_id, probe_id, item)
       WHERE s.incident_id IS NOT NULL FOR UPDATE OF s),
     released AS (
       UPDATE probe_state s SET incident_id = NULL FROM held
       WHERE s.agent_id = held.agent_id AND s.probe_id = held.probe_id AND s.item = held.item)
     SELECT * FROM held`,
    keyColumns(moves),
  );
  return new Map(rows.map((row) => [`${row.agent_id} ${row.probe_id} ${row.item}`, row.incident_id]));
}

async function tellFlapping({ client, emit }: Act, moves: Move[]): Promise<void> {
  if (moves.length === 0) return;
  const { rows } = await client.query(
    `SELECT s.agent_id, s.probe_id, s.item, s.incident_id FROM probe_state s
     JOIN unnest($1::uuid[], $2::uuid[], $3::text[]) m(agent_id, probe_id, item) USING (agent_id, probe_id, item)`,
    keyColumns(moves),
  );
  const incidentIds = new Map(rows.map((row) => [`${row.agent_id} ${row.probe_id} ${row.item}`, row.incident_id]));
  for (const move of moves) {
    const { probe, session, slot, transition } = move;
    emit({
      type: transition.kind === "flapping-start" ? "probe.flapping_started" : "probe.flapping_ended",
      summary: `${probe.name}${slot.item && ` ${slot.item}`} on ${session.name}: ${transition.reason}`,
      incidentId: incidentIds.get(slotKey(move)) ?? null,
      serviceId: probe.serviceId,
      payload: { probeId: probe.id, agentId: session.agentId, item: slot.item },
    });
  }
}

const slotKey = ({ session, probe, slot }: Move): string => `${session.agentId} ${probe.id} ${slot.item}`;

const signalOf = ({ outcome }: Move): SignalOutcome => ({
  ...outcome,
  metrics: outcome.metrics && JSON.parse(outcome.metrics),
});

const originOf = ({ session, probe, slot }: Move) => ({
  agent: { id: session.agentId, name: session.name },
  probe,
  item: slot.item,
});

const keyColumns = (moves: Move[]): string[][] => [
  moves.map(({ session }) => session.agentId),
  moves.map(({ probe }) => probe.id),
  moves.map(({ slot }) => slot.item),
];
