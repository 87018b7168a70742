ALTER TABLE "agents" ADD COLUMN "down_since" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "agents" ADD COLUMN "down_incident_id" uuid;--> statement-breakpoint
ALTER TABLE "agents" ADD CONSTRAINT "agents_down_incident_id_incidents_id_fk" FOREIGN KEY ("down_incident_id") REFERENCES "public"."incidents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "agents_down_incident" ON "agents" USING btree ("down_incident_id") WHERE "agents"."status" = 'DOWN';--> statement-breakpoint
CREATE INDEX "missing_results_incident" ON "missing_results" USING btree ("incident_id");--> statement-breakpoint
CREATE INDEX "remediation_runs_probe" ON "remediation_runs" USING btree ("probe_id");
--> statement-breakpoint
UPDATE agents a SET down_since = coalesce(s.last_seen_at, a.enrolled_at), down_incident_id = i.id
FROM agent_sessions s, incidents i
WHERE a.status = 'DOWN' AND s.agent_id = a.id AND i.dedup_key = 'agent-down:' || a.id
  AND i.status IN ('TRIGGERED', 'ACKNOWLEDGED', 'SNOOZED');
--> statement-breakpoint
-- What an incident stands on. Who takes such a row away asks whether its incident is over; who stops looking, by switching
-- a probe off or revoking an agent, takes away what was seen.
CREATE VIEW incident_causes AS
  SELECT seen.incident_id FROM (
    SELECT incident_id, agent_id, probe_id FROM probe_state
    UNION ALL SELECT incident_id, agent_id, probe_id FROM missing_results) seen
  JOIN probes p ON p.id = seen.probe_id AND p.enabled
  JOIN agents a ON a.id = seen.agent_id AND a.revoked_at IS NULL
    AND a.labels || jsonb_build_object('name', a.name) @> p.agent_selector
  WHERE seen.incident_id IS NOT NULL
  UNION ALL SELECT incident_id FROM firing_alerts
  UNION ALL SELECT down_incident_id FROM agents WHERE status = 'DOWN' AND down_incident_id IS NOT NULL;
