import type { ReceivedBatch } from "@poppo-ops/plugins/wire";
import type { Statement } from "../db/database.js";
import type { Act } from "../kernel/command.js";
import type { Admitted, Mark } from "./admit.js";
import type { AgentSession } from "./agent-session.js";
import { bigintArray, intArray, realArray, smallintArray, textArray, timestampArray } from "./binary-array.js";
import type { Touched } from "./move.js";
import type { Slot, StoredState } from "./state-cache.js";

/** The rows of one flush, column by column, as `unnest` takes them. Ids are written once and referred to by number. */
export class ResultColumns {
  readonly agents: string[] = [];
  readonly probes: string[] = [];
  readonly who: number[] = [];
  readonly what: number[] = [];
  readonly item: string[] = [];
  readonly seq: number[] = [];
  readonly at: number[] = [];
  readonly ms: number[] = [];
  readonly status: number[] = [];
  readonly summary: string[] = [];
  readonly metrics: (string | null)[] = [];
  private readonly probeNumbers = new Map<string, number>();

  /** @returns the number by which rows refer to the agent */
  agent(id: string): number {
    return this.agents.push(id);
  }

  /** @returns the number by which rows refer to the probe */
  probe(id: string): number {
    const known = this.probeNumbers.get(id);
    if (known !== undefined) return known;
    const number = this.probes.push(id);
    this.probeNumbers.set(id, number);
    return number;
  }

  /** @param at when it was seen, by our clock */
  add(agent: number, probe: number, at: number, batch: ReceivedBatch, row: number): void {
    this.who.push(agent);
    this.what.push(probe);
    this.item.push(batch.item[row]!);
    this.seq.push(batch.from + row);
    this.at.push(at);
    this.ms.push(batch.ms[row]!);
    this.status.push(batch.status[row]!);
    this.summary.push(batch.summary[row]!);
    this.metrics.push(batch.metrics[row]!);
  }

  parameters(): unknown[] {
    return [
      this.agents,
      this.probes,
      intArray(this.who),
      intArray(this.what),
      textArray(this.item),
      bigintArray(this.seq),
      timestampArray(this.at),
      realArray(this.ms),
      smallintArray(this.status),
      textArray(this.summary),
      textArray(this.metrics),
    ];
  }
}

/** Locks the marks of these agents, always in the same order: what a flush begins with. */
export const lockMarks = (agentIds: string[]): Statement => ({
  name: "lock_marks",
  text: `SELECT agent_id, session_id, spool_epoch, acked_seq FROM agent_sessions
    WHERE agent_id = ANY($1::uuid[]) ORDER BY agent_id FOR UPDATE`,
  values: [agentIds],
});

/** What the locked rows say. */
export const marksOf = ({ opened }: Act): Map<string, Mark & { sessionId: string | null }> =>
  new Map(
    opened!.rows.map((row) => [
      row.agent_id,
      { sessionId: row.session_id, epoch: row.spool_epoch, acked: Number(row.acked_seq) },
    ]),
  );

const INSERT_RESULTS = {
  name: "insert_results",
  text: `WITH marks AS (
      UPDATE agent_sessions s SET spool_epoch = m.epoch, acked_seq = m.acked, last_seen_at = now()
      FROM unnest($12::uuid[], $13::uuid[], $14::bigint[]) m(agent_id, epoch, acked) WHERE s.agent_id = m.agent_id)
    INSERT INTO probe_results (at, agent_id, probe_id, item, seq, duration_ms, status, summary, metrics)
    SELECT r.at, ($1::uuid[])[r.who], ($2::uuid[])[r.what], r.item, r.seq, r.ms, r.status, r.summary, r.metrics
    FROM unnest($3::int[], $4::int[], $5::text[], $6::bigint[], $7::timestamptz[], $8::real[], $9::smallint[], $10::text[], $11::text[])
      AS r(who, what, item, seq, at, ms, status, summary, metrics)`,
};

/** History and marks: one statement for all rows of all agents. A result is a sign of life too. */
export function insertResults({ send }: Act, columns: ResultColumns, admitted: Admitted[]): void {
  if (admitted.length === 0) return;
  const last = [...new Map(admitted.map((one) => [one.session.agentId, one])).values()];
  send({
    ...INSERT_RESULTS,
    values: [
      ...columns.parameters(),
      last.map(({ session }) => session.agentId),
      last.map(({ admission }) => admission.mark.epoch),
      last.map(({ admission }) => admission.mark.acked),
    ],
  });
}

/** What agents gave up, by their own word. A gap may have grown before its acknowledgement arrived. */
export function insertGaps({ send }: Act, admitted: Admitted[]): void {
  const gaps = admitted.flatMap(({ session: { agentId }, admission, batch: { epoch } }) =>
    admission.gaps.map((gap) => ({ agentId, epoch, ...gap })),
  );
  if (gaps.length === 0) return;
  send({
    text: `INSERT INTO spool_gaps (agent_id, epoch, from_seq, to_seq, reason)
      SELECT DISTINCT ON (agent_id, epoch, from_seq) *
      FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[]) g(agent_id, epoch, from_seq, to_seq, reason)
      ORDER BY agent_id, epoch, from_seq, to_seq DESC
      ON CONFLICT (agent_id, epoch, from_seq) DO UPDATE SET to_seq = greatest(spool_gaps.to_seq, excluded.to_seq)`,
    values: [
      gaps.map((g) => g.agentId),
      gaps.map((g) => g.epoch),
      gaps.map((g) => g.from),
      gaps.map((g) => g.to),
      gaps.map((g) => g.reason),
    ],
  });
}

/** Reads the states of these sessions' agents into their caches. */
export async function loadStates({ client }: Act, sessions: AgentSession[]): Promise<void> {
  const { rows } = await client.query(
    `SELECT agent_id, probe_id AS "probeId", item, status, hard_status AS "hardStatus", incident_id IS NOT NULL AS problem,
       attempt, extract(epoch FROM since)::float8 * 1000 AS since, changes, flapping,
       extract(epoch FROM last_at)::float8 * 1000 AS "lastAt"
     FROM probe_state WHERE agent_id = ANY($1::uuid[])`,
    [sessions.map((session) => session.agentId)],
  );
  const byAgent = new Map(sessions.map((session) => [session.agentId, [] as StoredState[]]));
  for (const { agent_id, probeId, item, ...state } of rows) byAgent.get(agent_id)!.push({ probeId, item, state });
  for (const session of sessions) session.states.load(byAgent.get(session.agentId)!);
}

const STATE_ROWS = `unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::float8[], $8::int[],
  $9::boolean[], $10::float8[], $11::text[], $12::text[], $13::text[]) WITH ORDINALITY
  AS n(agent_id, probe_id, item, status, hard_status, attempt, since, changes, flapping, last_at, summary, metrics, evidence, place)`;

const UPDATE_STATES = {
  name: "update_states",
  text: `UPDATE probe_state s SET status = n.status, hard_status = n.hard_status, attempt = n.attempt,
      since = to_timestamp(n.since / 1000), changes = n.changes, flapping = n.flapping,
      last_at = to_timestamp(n.last_at / 1000), summary = n.summary, metrics = n.metrics::jsonb, evidence = n.evidence::jsonb
    FROM ${STATE_ROWS} WHERE s.agent_id = n.agent_id AND s.probe_id = n.probe_id AND s.item = n.item
    RETURNING n.place::int`,
};

/** The lock waits for a deletion under way; without it the foreign key would fail everybody's flush. */
const INSERT_STATES = {
  name: "insert_states",
  text: `WITH existing AS (SELECT id FROM probes WHERE id = ANY($2::uuid[]) ORDER BY id FOR KEY SHARE),
    n AS MATERIALIZED (SELECT * FROM ${STATE_ROWS} WHERE probe_id IN (SELECT id FROM existing)),
    inserted AS (
      INSERT INTO probe_state (agent_id, probe_id, item, status, hard_status, attempt, since, changes, flapping, last_at,
        summary, metrics, evidence)
      SELECT n.agent_id, n.probe_id, n.item, n.status, n.hard_status, n.attempt, to_timestamp(n.since / 1000), n.changes,
        n.flapping, to_timestamp(n.last_at / 1000), n.summary, n.metrics::jsonb, n.evidence::jsonb FROM n)
    SELECT place::int FROM n`,
};

/**
 * Writes states; `incident_id` and `reporting` are not theirs. A probe may be deleted at the same time, and its states go
 * with it: the others are written all the same.
 * @returns the slots that are in the table now
 */
export async function saveStates({ client, hint }: Act, touched: Touched[]): Promise<Set<Slot>> {
  const known = touched.filter(({ slot }) => slot.state);
  const fresh = touched.filter(({ slot }) => !slot.state);
  const save = async (some: Touched[], statement: Omit<Statement, "values">): Promise<Slot[]> => {
    if (some.length === 0) return [];
    const { rows } = await client.query<{ place: number }>({ ...statement, values: stateColumns(some) });
    return rows.map(({ place }) => some[place - 1]!.slot);
  };
  const [updated, inserted] = await Promise.all([save(known, UPDATE_STATES), save(fresh, INSERT_STATES)]);
  if (inserted.length > 0 || known.some(({ slot }) => slot.state!.status !== slot.next!.status)) hint("states");
  return new Set([...updated, ...inserted]);
}

function stateColumns(touched: Touched[]): unknown[][] {
  const states = touched.map(({ slot }) => slot.next!);
  const outcomes = touched.map(({ slot }) => slot.outcome!);
  return [
    touched.map(({ session }) => session.agentId),
    touched.map(({ probe }) => probe.id),
    touched.map(({ slot }) => slot.item),
    states.map((s) => s.status),
    states.map((s) => s.hardStatus),
    states.map((s) => s.attempt),
    states.map((s) => s.since),
    states.map((s) => s.changes),
    states.map((s) => s.flapping),
    states.map((s) => s.lastAt),
    outcomes.map((o) => o.summary),
    outcomes.map((o) => o.metrics),
    outcomes.map((o) => o.evidence && JSON.stringify(o.evidence)),
  ];
}
