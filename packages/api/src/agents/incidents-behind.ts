import type { Act } from "../kernel/command.js";

/**
 * The incidents that this probe, or this agent, is a cause of. When nobody looks any more, nobody would ever say that they
 * are over. The states keep their incident: a problem that is still there when somebody looks again comes back.
 */
export async function incidentsBehind({ client }: Act, column: "probe_id" | "agent_id", id: string): Promise<string[]> {
  // A flush of results may be raising one just now: wait for it, and see it.
  await client.query(`SELECT FROM probe_state WHERE ${column} = $1 FOR UPDATE`, [id]);
  const { rows } = await client.query<{ incident_id: string }>(
    `SELECT incident_id FROM probe_state WHERE ${column} = $1 AND incident_id IS NOT NULL
     UNION SELECT incident_id FROM missing_results WHERE ${column} = $1`,
    [id],
  );
  return rows.map((row) => row.incident_id);
}
