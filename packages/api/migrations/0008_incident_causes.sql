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
  UNION ALL SELECT i.id FROM incidents i
  JOIN agents a ON a.status = 'DOWN' AND a.id =
    CASE WHEN i.dedup_key ~ '^agent-down:[0-9a-f-]{36}$' THEN substr(i.dedup_key, 12)::uuid END;
