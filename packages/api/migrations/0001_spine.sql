INSERT INTO installation DEFAULT VALUES;
--> statement-breakpoint
INSERT INTO event_head DEFAULT VALUES;
--> statement-breakpoint
INSERT INTO processing DEFAULT VALUES;
--> statement-breakpoint
-- What is hashed: every column but the hash, in one fixed textual form that no setting of a session changes.
CREATE FUNCTION event_body(e events) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_array(
    e.seq, e.type, (extract(epoch FROM e.at) * 1000)::bigint, e.actor,
    e.incident_id, e.service_id, e.severity, e.summary, e.payload)::text
$$;
--> statement-breakpoint
-- Appends the events of one transaction and returns the last sequence number. It must be the transaction's last
-- statement: the lock on event_head makes the order of `seq` the order of commits, and a rollback leaves no hole.
CREATE FUNCTION append_events(batch jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  h event_head%ROWTYPE;
  e events%ROWTYPE;
  item jsonb;
BEGIN
  SELECT * INTO h FROM event_head FOR UPDATE;
  FOR item IN SELECT value FROM jsonb_array_elements(batch) LOOP
    h.head := h.head + 1;
    e.seq := h.head;
    e.type := item->>'type';
    e.at := to_timestamp((item->>'at')::double precision / 1000);
    e.actor := item->>'actor';
    e.incident_id := (item->>'incidentId')::uuid;
    e.service_id := (item->>'serviceId')::uuid;
    e.severity := item->>'severity';
    e.summary := item->>'summary';
    e.payload := coalesce(item->'payload', '{}');
    h.hash := encode(sha256(convert_to(h.hash || event_body(e), 'UTF8')), 'hex');
    e.hash := h.hash;
    INSERT INTO events SELECT e.*;
  END LOOP;
  UPDATE event_head SET head = h.head, hash = h.hash;
  RETURN h.head;
END
$$;
--> statement-breakpoint
-- The log is append-only, also for its owner's slips.
CREATE FUNCTION refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are append-only';
END
$$;
--> statement-breakpoint
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
--> statement-breakpoint
-- Raw results: partitioned by hour, kept for hours. No primary key: the high-water mark of the agent forbids doubles.
CREATE TABLE probe_results (
  at timestamptz NOT NULL,
  agent_id uuid NOT NULL,
  probe_id uuid NOT NULL,
  item text NOT NULL,
  seq bigint NOT NULL,
  duration_ms real NOT NULL,
  status smallint NOT NULL,
  summary text NOT NULL,
  metrics text
) PARTITION BY RANGE (at);
--> statement-breakpoint
-- Late results of hours that have no partition of their own.
CREATE TABLE probe_results_late PARTITION OF probe_results DEFAULT;
--> statement-breakpoint
CREATE INDEX probe_results_series ON probe_results USING brin (at);
--> statement-breakpoint
ALTER TABLE agent_sessions SET (fillfactor = 50);
--> statement-breakpoint
ALTER TABLE probe_state SET (fillfactor = 70);
--> statement-breakpoint
ALTER TABLE event_head SET (fillfactor = 10);
