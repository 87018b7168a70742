import type { App } from "../../kernel/app.js";
import { newId } from "../../kernel/ids.js";

/** Agents straight in the database, last seen `silentMs` ago. @returns their ids */
export async function givenAgents(
  { database }: App,
  names: string[],
  { silentMs = 0, status = "ONLINE" }: { silentMs?: number; status?: string } = {},
): Promise<string[]> {
  const ids = names.map(newId);
  await database.pool.query(
    `WITH a AS (INSERT INTO agents (id, name, status, public_key, connected_at, enrolled_at)
       SELECT id, name, $3, '{}', now() - interval '1 hour', now() - interval '1 hour'
       FROM unnest($1::uuid[], $2::text[]) g(id, name) RETURNING id)
     INSERT INTO agent_sessions (agent_id, session_id, last_seen_at)
     SELECT id, gen_random_uuid(), now() - make_interval(secs => $4) FROM a`,
    [ids, names, status, silentMs / 1000],
  );
  return ids;
}

/** These agents give a sign of life, or were last heard of `silentMs` ago. */
export async function hearOf({ database }: App, ids: string[], silentMs = 0): Promise<void> {
  await database.pool.query(
    "UPDATE agent_sessions SET last_seen_at = now() - make_interval(secs => $2) WHERE agent_id = ANY($1)",
    [ids, silentMs / 1000],
  );
}

/** A probe straight in the database. @returns its id */
export async function givenProbe(
  { database }: App,
  { name = "load", rules = {}, agentSelector = {} }: { name?: string; rules?: object; agentSelector?: object } = {},
): Promise<string> {
  const all = { attempts: 1, forMs: 0, recoveries: 1, flapping: { high: 8, low: 4 }, raiseOn: ["CRIT"], missing: true };
  const { rows } = await database.pool.query<{ id: string }>(
    `INSERT INTO probes (name, kind, interval_ms, retry_interval_ms, timeout_ms, rules, agent_selector, updated_at)
     VALUES ($1, 'system.load', 10000, 1000, 1000, $2, $3, now() - interval '1 hour') RETURNING id`,
    [name, JSON.stringify({ ...all, ...rules }), JSON.stringify(agentSelector)],
  );
  return rows[0]!.id;
}

/** What a probe last saw, `ageMs` ago. */
export async function givenState(
  { database }: App,
  {
    agentId,
    probeId,
    item = "",
    status = "OK",
    ageMs = 0,
    incidentId = null as string | null,
  }: {
    agentId: string;
    probeId: string;
    item?: string;
    status?: string;
    ageMs?: number;
    incidentId?: string | null;
  },
): Promise<void> {
  await database.pool.query(
    `INSERT INTO probe_state (agent_id, probe_id, item, status, hard_status, attempt, since, last_at, summary, incident_id)
     VALUES ($1, $2, $3, $4, $4, 0, now(), now() - make_interval(secs => $5), 'seen', $6)
     ON CONFLICT (agent_id, probe_id, item) DO UPDATE SET last_at = excluded.last_at, status = excluded.status`,
    [agentId, probeId, item, status, ageMs / 1000, incidentId],
  );
}
