import type pg from "pg";
import type { Labels } from "../db/columns.js";
import type { Act } from "../kernel/command.js";
import type { SessionCommand } from "./agent-session.js";

export interface BegunSession {
  name: string;
  labels: Labels;
  spoolEpoch: string | null;
  ackedSeq: number;
  /** Somebody's session that this one takes over. */
  previous: string | null;
}

export interface SessionKey {
  agentId: string;
  sessionId: string;
}

const ids = (keys: SessionKey[]) => [keys.map((k) => k.agentId), keys.map((k) => k.sessionId)];

/** Makes these the newest sessions of their agents; whoever was it before is fenced from now on. Revoked agents get none. */
export async function beginSessions(
  { client, emit, hint }: Act,
  keys: SessionKey[],
): Promise<Map<string, BegunSession>> {
  const marks = await client.query(
    `SELECT agent_id, session_id, spool_epoch, acked_seq FROM agent_sessions
     WHERE agent_id = ANY($1) ORDER BY agent_id FOR UPDATE`,
    [keys.map((k) => k.agentId)],
  );
  // A DOWN agent stays DOWN for the moment: only the module that raised its incident says it is up again.
  const { rows } = await client.query<{ id: string; name: string; labels: Labels }>(
    `WITH sessions AS (
       UPDATE agent_sessions s SET session_id = g.session_id, last_seen_at = now()
       FROM unnest($1::uuid[], $2::uuid[]) g(agent_id, session_id) WHERE s.agent_id = g.agent_id)
     UPDATE agents SET connected_at = now(), status = CASE status WHEN 'DOWN' THEN 'DOWN' ELSE 'ONLINE' END
     WHERE id = ANY($1) AND revoked_at IS NULL RETURNING id, name, labels`,
    ids(keys),
  );
  const agents = new Map(rows.map((row) => [row.id, row]));
  const begun = new Map<string, BegunSession>();
  for (const mark of marks.rows) {
    const agent = agents.get(mark.agent_id);
    if (!agent) continue;
    begun.set(agent.id, {
      name: agent.name,
      labels: agent.labels,
      spoolEpoch: mark.spool_epoch,
      ackedSeq: Number(mark.acked_seq),
      previous: mark.session_id,
    });
    emit({ type: "agent.connected", summary: `Agent "${agent.name}" connected`, payload: { agentId: agent.id } });
    if (mark.session_id) hint(`agent:${agent.id}`);
  }
  hint("agents");
  return begun;
}

/** Gives up these sessions, unless a newer one has taken over already. */
export async function endSessions({ client, emit }: Act, keys: SessionKey[]): Promise<void> {
  const { rows } = await client.query<{ id: string; name: string }>(
    `WITH mine AS (
       SELECT s.agent_id FROM agent_sessions s JOIN unnest($1::uuid[], $2::uuid[]) g(agent_id, session_id)
         ON s.agent_id = g.agent_id AND s.session_id = g.session_id ORDER BY s.agent_id FOR UPDATE OF s),
     ended AS (
       UPDATE agent_sessions s SET session_id = NULL FROM mine WHERE s.agent_id = mine.agent_id RETURNING s.agent_id)
     UPDATE agents SET status = CASE status WHEN 'ONLINE' THEN 'OFFLINE' ELSE status END
     FROM ended WHERE agents.id = ended.agent_id AND revoked_at IS NULL RETURNING agents.id, agents.name`,
    ids(keys),
  );
  for (const { id, name } of rows)
    emit({ type: "agent.disconnected", summary: `Agent "${name}" disconnected`, payload: { agentId: id } });
}

/** Why a session is over. */
export type SessionVerdict = "SUPERSEDED" | "REVOKED";

const OVER = {
  name: "sessions_that_are_over",
  text: `SELECT g.agent_id AS id, CASE WHEN a.revoked_at IS NULL AND a.id IS NOT NULL THEN 'SUPERSEDED' ELSE 'REVOKED' END AS verdict
    FROM unnest($1::uuid[], $2::uuid[]) g(agent_id, session_id)
    LEFT JOIN agent_sessions s ON s.agent_id = g.agent_id LEFT JOIN agents a ON a.id = g.agent_id
    WHERE a.id IS NULL OR a.revoked_at IS NOT NULL OR s.session_id IS DISTINCT FROM g.session_id`,
};

/** Which of these sessions are not their agent's newest any more. */
export async function overSessions(client: pg.Pool, keys: SessionKey[]): Promise<Map<string, SessionVerdict>> {
  const { rows } = await client.query<{ id: string; verdict: SessionVerdict }>({ ...OVER, values: ids(keys) });
  return new Map(rows.map((row) => [row.id, row.verdict]));
}

/** Commands that were not started yet and may still be, oldest first, by agent. While processing is paused no remediation is. */
export async function openCommands(
  client: pg.Pool | pg.PoolClient,
  agentIds: string[],
): Promise<Map<string, SessionCommand[]>> {
  const { rows } = await client.query<SessionCommand & { agent_id: string }>(
    `SELECT agent_id, id, payload, signature FROM agent_commands
     WHERE agent_id = ANY($1) AND ended_at IS NULL AND started_at IS NULL AND start_by > now()
       AND (kind <> 'REMEDIATE' OR NOT EXISTS (SELECT FROM processing WHERE paused AND coalesce(until > now(), true)))
     ORDER BY created_at, id`,
    [agentIds],
  );
  const byAgent = new Map<string, SessionCommand[]>();
  for (const { agent_id, ...command } of rows) {
    const commands = byAgent.get(agent_id) ?? [];
    commands.push(command);
    byAgent.set(agent_id, commands);
  }
  return byAgent;
}
