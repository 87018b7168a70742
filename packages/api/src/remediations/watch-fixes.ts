import { inArray } from "drizzle-orm";
import type { Act } from "../kernel/command.js";
import { closeBreakers, countFailedFixes, type FailedFix } from "./breaker.js";
import { STABILITY_MS } from "./limits.js";
import { type RemediationRunRow, remediationRuns as runs } from "./remediation.table.js";
import { onTimelines } from "./run-event.js";

/**
 * A verified fix has helped only when it holds. One whose probe turns bad again (or was good once and never believed)
 * within the stability window counts as a failed one, for the same incident or a new one: a container that crashes anew after every restart opens the breaker.
 * One whose probe is good beyond the window has held. Of one that nobody could see at its end neither is ever said.
 * @returns how many fixes were judged
 */
export async function watchFixes(act: Act): Promise<number> {
  const relapsed = await judgeRelapsed(act);
  const held = await judgeHeld(act);
  if (held.length > 0) await closeBreakers(act, held);
  await tellRelapses(act, relapsed);
  await countFailedFixes(act, relapsed);
  return relapsed.length + held.length;
}

const OWN_STATE = "s.agent_id = r.agent_id AND s.probe_id = r.probe_id AND s.item = r.item";
/** What the probe says now began within the window. */
const BEGAN_WITHIN = "s.since <= r.finished_at + make_interval(secs => $1)";
/** `verdictOf` in SQL. */
const isGood = (status: string) =>
  `${status} NOT IN ('UNKNOWN', 'TIMEOUT', 'NOT_APPLICABLE') AND NOT p.rules->'raiseOn' ? ${status}`;

const RELAPSED = {
  name: "judge_relapsed_fixes",
  text: `UPDATE remediation_runs r SET held = false
    FROM probe_state s JOIN probes p ON p.id = s.probe_id
    WHERE r.status = 'SUCCEEDED' AND r.held IS NULL AND r.finished_at > now() - interval '1 day'
      AND ${OWN_STATE} AND ${BEGAN_WITHIN}
      AND p.rules->'raiseOn' ? s.hard_status AND p.rules->'raiseOn' ? s.status
    RETURNING r.id, s.incident_id AS "incidentId", s.summary AS why`,
};

async function judgeRelapsed({ client, db }: Act): Promise<FailedFix[]> {
  const { rows } = await client.query<{ id: string; incidentId: string | null; why: string }>({
    ...RELAPSED,
    values: [STABILITY_MS / 1000],
  });
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const full = new Map((await db.select().from(runs).where(inArray(runs.id, ids))).map((run) => [run.id, run]));
  // It is told where the trouble is now: its incident may be a new one.
  return rows.map(({ id, incidentId, why }) => {
    const run = full.get(id)!;
    return { run: { ...run, incidentId: incidentId ?? run.incidentId }, why };
  });
}

const HELD = {
  name: "judge_held_fixes",
  text: `UPDATE remediation_runs r SET held = true
    FROM probe_state s JOIN probes p ON p.id = s.probe_id
    WHERE r.status = 'SUCCEEDED' AND r.held IS NULL AND r.finished_at > now() - interval '1 day'
      AND ${OWN_STATE} AND ${BEGAN_WITHIN} AND s.last_at > r.finished_at + make_interval(secs => $1)
      AND ${isGood("s.status")} AND ${isGood("s.hard_status")}
    RETURNING r.agent_id AS "agentId", r.target`,
};

async function judgeHeld({ client }: Act): Promise<Pick<RemediationRunRow, "agentId" | "target">[]> {
  const { rows } = await client.query<Pick<RemediationRunRow, "agentId" | "target">>({
    ...HELD,
    values: [STABILITY_MS / 1000],
  });
  return rows;
}

async function tellRelapses(act: Act, relapsed: FailedFix[]): Promise<void> {
  const events = await onTimelines(
    act.db,
    relapsed.map(({ run, why }) => ({
      run,
      type: "remediation.relapsed",
      summary: `the fix did not hold: ${run.target} failed again after ${Math.round((act.now.getTime() - run.finishedAt!.getTime()) / 1000)} s: ${why}`,
    })),
  );
  for (const event of events) act.emit(event);
}
