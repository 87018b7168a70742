import type { Module } from "../engine/engine.js";
import { raiseMany } from "../incidents/raise.js";
import { type App, systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";
import { toIncident } from "../signals/signal.js";

/** A resolution is believed for this long, and for as many outcomes as it takes to believe a problem. */
const PATIENCE_MS = 60_000;

/**
 * A person resolves an incident while its probe still fails: they have just repaired it, or they think so. If the failure
 * goes on for a minute and for `attempts` further outcomes it comes back as a new incident. To leave it resolved would hide
 * a real outage behind a click; who wants silence snoozes the incident or switches the probe off.
 */
export const stillFailing = (app: App, everyMs: number): Module => ({
  name: "resolved but still failing",
  batch: Number.POSITIVE_INFINITY,
  everyMs,
  step: () =>
    act(systemScope(app, "probes"), async (tools) => {
      const { rows } = await tools.client.query(
        `SELECT s.agent_id, s.probe_id, s.item, s.status, s.summary, s.metrics, s.evidence, a.name AS agent,
           p.name, p.kind, p.severity, p.category, p.service_id AS "serviceId"
         FROM probe_state s JOIN incidents raised ON raised.id = s.incident_id
         JOIN incidents i ON i.id = coalesce(raised.merged_into_id, raised.id) AND i.status = 'RESOLVED'
         JOIN probes p ON p.id = s.probe_id JOIN agents a ON a.id = s.agent_id
         WHERE s.incident_id IS NOT NULL AND p.rules -> 'raiseOn' ? s.status AND a.revoked_at IS NULL
           AND s.last_at > i.resolved_at
             + make_interval(secs => greatest($1, (p.rules ->> 'attempts')::int * p.retry_interval_ms) / 1000.0)
         FOR UPDATE OF s SKIP LOCKED`,
        [PATIENCE_MS],
      );
      if (rows.length === 0) return 0;
      const raised = await raiseMany(
        tools,
        rows.map(({ agent_id, agent, probe_id, item, ...row }) =>
          toIncident(
            { agent: { id: agent_id, name: agent }, probe: { id: probe_id, ...row }, item },
            row,
            "it was resolved, but it still fails",
          ),
        ),
      );
      await tools.client.query(
        `UPDATE probe_state s SET incident_id = m.incident_id
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[]) m(agent_id, probe_id, item, incident_id)
         WHERE s.agent_id = m.agent_id AND s.probe_id = m.probe_id AND s.item = m.item`,
        [
          rows.map((row) => row.agent_id),
          rows.map((row) => row.probe_id),
          rows.map((row) => row.item),
          raised.map(({ incident }) => incident.id),
        ],
      );
      return rows.length;
    }),
});
