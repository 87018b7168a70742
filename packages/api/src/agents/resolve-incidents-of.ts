import { resolveMany } from "../incidents/incident.service.js";
import type { Act } from "../kernel/command.js";

/**
 * Resolves the incidents that only this probe, or this agent, stands behind: nobody looks any more, so nobody would ever
 * say that they are over. The states keep their incident: a problem that is still there when somebody looks again comes back.
 */
export async function resolveIncidentsOf(
  act: Act,
  column: "probe_id" | "agent_id",
  id: string,
  resolution: string,
): Promise<void> {
  // A flush of results may be raising one just now: wait for it, and see it.
  await act.client.query(`SELECT FROM probe_state WHERE ${column} = $1 FOR UPDATE`, [id]);
  const { rows } = await act.client.query<{ id: string }>(
    `SELECT i.id FROM incidents i WHERE i.status IN ('TRIGGERED', 'ACKNOWLEDGED', 'SNOOZED')
       AND i.id IN (SELECT incident_id FROM probe_state WHERE ${column} = $1
                    UNION ALL SELECT incident_id FROM missing_results WHERE ${column} = $1)
       AND NOT EXISTS (SELECT FROM probe_state o WHERE o.incident_id = i.id AND o.${column} <> $1)`,
    [id],
  );
  if (rows.length > 0)
    await resolveMany(
      act,
      rows.map((row) => row.id),
      resolution,
    );
}
