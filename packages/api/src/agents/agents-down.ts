import type { Module } from "../engine/engine.js";
import { resolveMany } from "../incidents/incident.service.js";
import { type IncidentStatus, OPEN_STATUSES } from "../incidents/incident.state.js";
import { type NewIncident, raiseMany } from "../incidents/raise.js";
import { type App, systemScope } from "../kernel/app.js";
import { type Act, act } from "../kernel/command.js";
import { resolveOver } from "../signals/over-incidents.js";
import { AGENTS_SOURCE } from "../signals/sources.js";
import type { Watch } from "./watch.js";

export interface DownOptions {
  /** An agent that was silent for longer is down. Milliseconds. */
  downAfterMs: number;
  /** After a start nobody is declared down before this has passed: agents come back within 64 s. Milliseconds. */
  graceMs: number;
  everyMs: number;
}

/** From so many on, and from this share of all enrolled, it is one loss with one cause: a network, a site, ourselves. */
const MASS_COUNT = 5;
const MASS_SHARE = 0.2;
const MASS_KEY = "agents-down:mass";
/** The view `incident_causes` reads the agent from it. */
const downKey = (agentId: string): string => `agent-down:${agentId}`;

interface Named {
  id: string;
  name: string;
}

/**
 * Declares agents down, and up again. One conditional update decides, so of two replicas only one says it.
 *
 * While at least 5 agents and 20 % of all enrolled are down there is one incident for all of them instead of one for each:
 * those already open are resolved in its favour, and when fewer are down it resolves and each one left gets its own.
 * An incident that a person resolves stays resolved until its agent was up again, that of a mass loss until another agent
 * goes; one that is not coming back is revoked.
 */
export const agentsDown = (app: App, watch: Watch, { downAfterMs, graceMs, everyMs }: DownOptions): Module => ({
  name: "agents down",
  batch: Number.POSITIVE_INFINITY,
  everyMs,
  wakeOn: (topic) => topic === "agents",
  step: () =>
    act(systemScope(app, "agents"), async (tools) => {
      // Whoever comes second sees what the first one decided.
      await tools.client.query("SELECT pg_advisory_xact_lock(hashtext('poppo agents down'))");
      const isWatching = watch.watchedMs >= Math.max(downAfterMs, graceMs);
      const downed = isWatching ? await declareDown(tools, downAfterMs) : [];
      const upped = await declareUp(tools, downAfterMs);
      await signal(tools, downed, upped);
      return downed.length + upped.length;
    }),
});

async function declareDown({ client }: Act, downAfterMs: number): Promise<Named[]> {
  const { rows } = await client.query<Named>(
    `UPDATE agents a SET status = 'DOWN' FROM agent_sessions s
     WHERE s.agent_id = a.id AND a.status IN ('ONLINE', 'OFFLINE')
       AND coalesce(s.last_seen_at, a.enrolled_at) < now() - make_interval(secs => $1)
     RETURNING a.id, a.name`,
    [downAfterMs / 1000],
  );
  return rows;
}

async function declareUp({ client }: Act, downAfterMs: number): Promise<Named[]> {
  const { rows } = await client.query<Named>(
    `UPDATE agents a SET status = CASE WHEN s.session_id IS NULL THEN 'OFFLINE' ELSE 'ONLINE' END FROM agent_sessions s
     WHERE s.agent_id = a.id AND a.status = 'DOWN' AND s.last_seen_at >= now() - make_interval(secs => $1)
     RETURNING a.id, a.name`,
    [downAfterMs / 1000],
  );
  return rows;
}

async function signal(act: Act, downed: Named[], upped: Named[]): Promise<void> {
  const { enrolled, down, mass } = await overview(act);
  const isMass = down.length >= MASS_COUNT && down.length >= enrolled * MASS_SHARE;
  const massEnds = mass !== null && !isMass;
  if (downed.length + upped.length === 0 && !massEnds) return;

  const single = isMass ? [] : massEnds ? down : downed;
  const raised = await raiseMany(act, isMass && !mass ? [massIncident(down, enrolled)] : single.map(downIncident));
  const massId = isMass ? (mass ?? raised[0]!.incident.id) : null;
  const incidentOf = new Map(single.map(({ id }, i) => [id, raised[i]!.incident.id]));
  for (const { id, name } of downed) {
    const incidentId = massId ?? incidentOf.get(id)!;
    act.emit({ type: "agent.down", summary: `Agent "${name}" went silent`, incidentId, payload: { agentId: id } });
  }
  for (const { id, name } of upped)
    act.emit({ type: "agent.up", summary: `Agent "${name}" is back`, incidentId: massId, payload: { agentId: id } });

  await resolveOver(act, await incidentsOf(act, upped, ["MERGED", ...OPEN_STATUSES]), "The agent is back");
  if (isMass)
    await resolveMany(
      act,
      await incidentsOf(act, down, OPEN_STATUSES),
      "Many agents are down at once: they have one incident together",
    );
  if (massEnds) await resolveOver(act, [mass], "Fewer agents are down; those that are left have an incident each");
}

/** How things stand: agents that are down, and the open incident of a mass loss. */
async function overview({ client }: Act): Promise<{ enrolled: number; down: Named[]; mass: string | null }> {
  const { rows } = await client.query(
    `SELECT (SELECT count(*)::int FROM agents WHERE revoked_at IS NULL) AS enrolled,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'name', name) ORDER BY name), '[]')
        FROM agents WHERE status = 'DOWN') AS down,
       (SELECT id FROM incidents WHERE dedup_key = $1 AND status IN ('TRIGGERED', 'ACKNOWLEDGED', 'SNOOZED')) AS mass`,
    [MASS_KEY],
  );
  return rows[0];
}

/** The incidents that were raised because these agents were down; one that was merged still stands for its agent. */
async function incidentsOf({ client }: Act, agents: Named[], statuses: readonly IncidentStatus[]): Promise<string[]> {
  if (agents.length === 0) return [];
  const { rows } = await client.query<{ id: string }>(
    "SELECT id FROM incidents WHERE dedup_key = ANY($1) AND status = ANY($2)",
    [agents.map(({ id }) => downKey(id)), statuses],
  );
  return rows.map(({ id }) => id);
}

const downIncident = ({ id, name }: Named): NewIncident => ({
  title: `Agent ${name} is down`,
  description: "It was silent for too long: the host, its network or the agent process. What it watches is not seen.",
  severity: "P2",
  category: "MONITORING",
  dedupKey: downKey(id),
  source: AGENTS_SOURCE,
  evidence: { agent: name, agentId: id },
});

const massIncident = (down: Named[], enrolled: number): NewIncident => ({
  title: `${down.length} of ${enrolled} agents are down`,
  description: "So many at once have one cause: a network, a site, or this server's own connection.",
  severity: "P1",
  category: "MONITORING",
  dedupKey: MASS_KEY,
  source: AGENTS_SOURCE,
  evidence: { count: down.length, enrolled, agents: down.slice(0, 50).map(({ name }) => name) },
});
