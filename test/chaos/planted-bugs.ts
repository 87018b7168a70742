import type { Edit } from "./rewrite.js";

/** Mistakes a hurried change could make. Each is planted in a test that proves that the checker notices. */
export type PlantedBug = "ack before commit" | "fencing token not checked";

/**
 * Another one, as SQL: events are numbered when the transaction begins to write them, and not under a lock that is held until it commits. The
 * wait stands for a transaction that has more to do after it took its number.
 */
export const NUMBERED_FIRST = `
CREATE SEQUENCE numbered_first;
SELECT setval('numbered_first', head + 1, false) FROM event_head;
CREATE OR REPLACE FUNCTION append_events(batch jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  e events%ROWTYPE;
  item jsonb;
BEGIN
  FOR item IN SELECT value FROM jsonb_array_elements(batch) LOOP
    e.seq := nextval('numbered_first');
    PERFORM pg_sleep(random() * 0.05);
    e.type := item->>'type';
    e.at := to_timestamp((item->>'at')::double precision / 1000);
    e.actor := item->>'actor';
    e.incident_id := (item->>'incidentId')::uuid;
    e.service_id := (item->>'serviceId')::uuid;
    e.severity := item->>'severity';
    e.summary := item->>'summary';
    e.payload := coalesce(item->'payload', '{}');
    SELECT encode(sha256(convert_to(hash || event_body(e), 'UTF8')), 'hex') INTO e.hash FROM event_head;
    INSERT INTO events SELECT e.*;
  END LOOP;
  UPDATE event_head SET head = greatest(head, e.seq), hash = e.hash;
  RETURN e.seq;
END
$$`;

export const PLANTED_BUGS: Record<PlantedBug, Edit> = {
  "ack before commit": {
    module: "agents/ingest.js",
    find: "const ackedSeq = await this.queue.add({ session, batch });",
    replace: "this.queue.add({ session, batch }).catch(() => {}); const ackedSeq = batch.from + batch.rows - 1;",
  },
  "fencing token not checked": {
    module: "commands/commands.js",
    find: "if (fencingToken < highest)",
    replace: "if (false)",
  },
};
