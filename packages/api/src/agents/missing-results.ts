import type { Module } from "../engine/engine.js";
import { raiseMany } from "../incidents/raise.js";
import { type App, systemScope } from "../kernel/app.js";
import { type Act, act } from "../kernel/command.js";
import { resolveOver } from "../signals/over-incidents.js";
import { AGENTS_SOURCE } from "../signals/sources.js";
import type { Watch } from "./watch.js";

/** `reportingDeadlineMs` in SQL. Milliseconds. */
const DEADLINE = "greatest(3 * p.interval_ms, p.interval_ms + p.timeout_ms + 10000)";
const AGO = `now() - make_interval(secs => ${DEADLINE} / 1000.0)`;
const ASSIGNED = "p.enabled AND a.labels || jsonb_build_object('name', a.name) @> p.agent_selector";
const FRESH = `EXISTS (SELECT FROM probe_state s WHERE s.agent_id = a.id AND s.probe_id = p.id AND s.last_at >= ${AGO})`;

/**
 * Expected against received: a probe of an agent that is online must report, also when it never did. What has been missing
 * for longer than its deadline is a row of `missing_results` and an incident; both end when it reports again, or when
 * nobody expects it to any more. Nothing is missing before this replica, the session and the probe are that old themselves.
 */
export const missingResultsModule = (app: App, watch: Watch, everyMs: number): Module => ({
  name: "missing results",
  batch: Number.POSITIVE_INFINITY,
  everyMs,
  step: () =>
    act(systemScope(app, "agents"), async (tools) => {
      const { rows } = await tools.client.query<{ mine: boolean }>(
        "SELECT pg_try_advisory_xact_lock(hashtext('poppo missing results')) AS mine",
      );
      if (!rows[0]!.mine) return 0;
      return (await findMissing(tools, watch.watchedMs)) + (await findReturned(tools));
    }),
});

async function findMissing(act: Act, watchedMs: number): Promise<number> {
  const { rows: missing } = await act.client.query(
    `SELECT a.id AS "agentId", a.name AS agent, p.id AS "probeId", p.name AS probe, p.kind, p.service_id AS "serviceId",
       (SELECT max(s.last_at) FROM probe_state s WHERE s.agent_id = a.id AND s.probe_id = p.id) AS "lastAt"
     FROM agents a JOIN probes p ON ${ASSIGNED} AND (p.rules ->> 'missing')::boolean
     WHERE a.status = 'ONLINE' AND a.connected_at < ${AGO} AND p.updated_at < ${AGO} AND ${DEADLINE} <= $1::float8
       AND NOT ${FRESH}
       AND NOT EXISTS (SELECT FROM missing_results m WHERE m.agent_id = a.id AND m.probe_id = p.id)
     FOR KEY SHARE OF p`,
    [watchedMs],
  );
  if (missing.length === 0) return 0;
  const raised = await raiseMany(
    act,
    missing.map(({ agentId, agent, probeId, probe, kind, serviceId, lastAt }) => ({
      title: `${probe} on ${agent} ${lastAt ? "stopped reporting" : "never reported"}`,
      description: lastAt
        ? `The agent is online, but its last result is of ${lastAt.toISOString()}. What the probe watches is not seen.`
        : "The agent is online and has the probe, but no result came. What the probe watches is not seen.",
      severity: "P2",
      category: "MONITORING",
      serviceId,
      dedupKey: `missing:${probeId}:${agentId}`,
      source: AGENTS_SOURCE,
      evidence: { agent, agentId, probe, probeId, kind, lastAt },
    })),
  );
  const keys = [missing.map((m) => m.agentId), missing.map((m) => m.probeId)];
  await act.client.query(
    `INSERT INTO missing_results (agent_id, probe_id, since, incident_id)
     SELECT m.agent_id, m.probe_id, now(), m.incident_id
     FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) m(agent_id, probe_id, incident_id)`,
    [...keys, raised.map(({ incident }) => incident.id)],
  );
  await mark(act, keys, false);
  return missing.length;
}

async function findReturned(act: Act): Promise<number> {
  const { rows } = await act.client.query(
    `DELETE FROM missing_results m USING agents a, probes p
     WHERE a.id = m.agent_id AND p.id = m.probe_id
       AND (${FRESH} OR a.revoked_at IS NOT NULL OR NOT (${ASSIGNED}) OR NOT (p.rules ->> 'missing')::boolean)
     RETURNING m.agent_id, m.probe_id, m.incident_id, ${FRESH} AS fresh`,
  );
  if (rows.length === 0) return 0;
  const keys = [rows.map((row) => row.agent_id), rows.map((row) => row.probe_id)];
  await mark(act, keys, true);
  const incidentIds = (fresh: boolean) => rows.filter((row) => row.fresh === fresh).map((row) => row.incident_id);
  await resolveOver(act, incidentIds(true), "It reports again");
  await resolveOver(act, incidentIds(false), "It is no longer expected to report");
  return rows.length;
}

/** A row that a flush holds just now is marked all the same: only a deadlock, which runs again, could be in the way. */
async function mark({ client, hint }: Act, keys: string[][], reporting: boolean): Promise<void> {
  await client.query(
    `UPDATE probe_state s SET reporting = $3 FROM unnest($1::uuid[], $2::uuid[]) m(agent_id, probe_id)
     WHERE s.agent_id = m.agent_id AND s.probe_id = m.probe_id`,
    [...keys, reporting],
  );
  hint("states");
}
