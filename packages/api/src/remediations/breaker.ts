import type { Act, NewEvent } from "../kernel/command.js";
import { BREAKER_OPEN_MS, DEFAULT_POLICY } from "./limits.js";
import type { RemediationRunRow } from "./remediation.table.js";
import { onTimelines, type RunEvent } from "./run-event.js";

/**
 * The breaker of a target: it opens when `breakerAfter` fixes in a row did not help, and keeps automation away for an hour.
 * Then automation may try once; failing again opens it anew. A fix that held for the stability window closes it. A person
 * may try at any time by approving with a reason, which closes nothing unless the fix holds.
 */

/** A run whose fix did not help, and what was seen. */
export interface FailedFix {
  run: RemediationRunRow;
  why: string;
}

/**
 * Failed fixes in a row: those within the policy's window, after the last fix that held. Counted from the runs
 * themselves, so there is no counter that could be wrong.
 */
const COUNT = `
  UPDATE target_locks l
  SET failed_verifies = f.failed,
      breaker_open_until = CASE WHEN f.failed >= f.breaker_after THEN $4::timestamptz + make_interval(secs => $5) ELSE l.breaker_open_until END
  FROM (
    SELECT g.agent_id, g.target, coalesce(p.breaker_after, $6::int) AS breaker_after, (
      SELECT count(*)::int FROM remediation_runs r
      WHERE r.agent_id = g.agent_id AND r.target = g.target AND (r.status = 'DID_NOT_HELP' OR r.held = false)
        AND r.requested_at > $4::timestamptz - make_interval(secs => coalesce(p.window_ms, $7::bigint) / 1000.0)
        AND r.finished_at > coalesce((
          SELECT max(h.finished_at) FROM remediation_runs h
          WHERE h.agent_id = g.agent_id AND h.target = g.target AND h.held), '-infinity')
    ) AS failed
    FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS g(agent_id, target, probe_id)
    LEFT JOIN remediation_policies p ON p.probe_id = g.probe_id
  ) f
  WHERE l.agent_id = f.agent_id AND l.target = f.target
  RETURNING l.agent_id AS "agentId", l.target, f.failed, f.failed >= f.breaker_after AS "isOpen",
            l.breaker_open_until AS "until"`;

/** Counts fixes that did not help, and opens the breaker of the targets that had too many in a row. */
export async function countFailedFixes(act: Act, failed: FailedFix[]): Promise<void> {
  if (failed.length === 0) return;
  const { rows } = await act.client.query<{
    agentId: string;
    target: string;
    failed: number;
    isOpen: boolean;
    until: Date;
  }>(COUNT, [
    failed.map(({ run }) => run.agentId),
    failed.map(({ run }) => run.target),
    failed.map(({ run }) => run.probeId),
    act.now,
    BREAKER_OPEN_MS / 1000,
    DEFAULT_POLICY.breakerAfter,
    DEFAULT_POLICY.windowMs,
  ]);
  const opened = rows.flatMap((row) => {
    const fix = failed.find(({ run }) => run.agentId === row.agentId && run.target === row.target)!;
    return row.isOpen ? breakerOpened(fix, row.failed, row.until) : [];
  });
  for (const event of (await onTimelines(act.db, opened)).flatMap(withNote)) act.emit(event);
}

function breakerOpened({ run, why }: FailedFix, failed: number, until: Date): RunEvent {
  const tried = `${run.kind} of ${run.target} was tried ${failed} ${failed === 1 ? "time" : "times"}, still failing: ${why}`;
  return {
    run,
    type: "remediation.breaker_opened",
    summary: `breaker opened: ${tried}`,
    payload: {
      rule: "breaker",
      failedVerifies: failed,
      until,
      note: `${tried}. Automation leaves it alone until ${until.toISOString()}. Find the cause; to try the same once more, approve it with a reason.`,
    },
  };
}

/** The same on the incident as a person would write it. */
const withNote = (event: NewEvent): NewEvent[] => {
  const { note, ...payload } = event.payload as { note: string };
  const opened = { ...event, payload };
  if (!event.incidentId) return [opened];
  return [opened, { ...event, type: "incident.note_added", summary: note.slice(0, 200), payload: { text: note } }];
};

/** Fixes that held end the row of failures: their targets' breakers close. */
export async function closeBreakers(
  { client }: Act,
  held: Pick<RemediationRunRow, "agentId" | "target">[],
): Promise<void> {
  await client.query(
    `UPDATE target_locks l SET failed_verifies = 0, breaker_open_until = NULL
     FROM unnest($1::uuid[], $2::text[]) AS h(agent_id, target)
     WHERE l.agent_id = h.agent_id AND l.target = h.target AND (l.failed_verifies > 0 OR l.breaker_open_until IS NOT NULL)`,
    [held.map((run) => run.agentId), held.map((run) => run.target)],
  );
}
