import type { Module } from "../engine/engine.js";
import { raiseMany } from "../incidents/raise.js";
import { type App, systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";
import { toIncident } from "../signals/signal.js";
import { linkIncidents } from "./apply-signals.js";

/** A resolution is believed for this long at least. */
const PATIENCE_MS = 60_000;

/**
 * A person resolves an incident while its probe still fails: they have just repaired it, or they think so. If it fails
 * still after a minute, or after the time of `attempts` retries when that is longer, it comes back as a new incident. To
 * leave it resolved would hide a real outage behind a click; who wants silence snoozes the incident or switches the probe off.
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
      const keys = [rows.map((row) => row.agent_id), rows.map((row) => row.probe_id), rows.map((row) => row.item)];
      tools.send(linkIncidents(keys, raised));
      return rows.length;
    }),
});
