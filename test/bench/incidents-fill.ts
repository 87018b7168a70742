import type { ServerProcess } from "../harness/server-process.js";
import { openSql } from "../harness/sql.js";

const SERVICES = 200;
const ENTRIES = 3;

/** Numbers of the incidents to make; those up to `resolvedUntil` are resolved. */
export interface Fill {
  from: number;
  to: number;
  resolvedUntil?: number;
}

/**
 * Fills the store by SQL with incidents, each with a timeline of three entries, and starts the server again. The hash chain of the events is not made: nothing here verifies it.
 */
export async function fillIncidents(server: ServerProcess, numbers: Fill): Promise<void> {
  await fill(server.databaseUrl, numbers);
  await server.stop();
  await server.start();
}

async function fill(databaseUrl: string, { from, to, resolvedUntil = 0 }: Fill): Promise<void> {
  await using sql = await openSql(databaseUrl);
  await sql.query(
    "INSERT INTO services (name, owner) SELECT 'service ' || i, 'team ' || i % 20 FROM generate_series(1, $1::int) i ON CONFLICT DO NOTHING",
    [SERVICES],
  );
  await sql.query(INCIDENTS, [from, to, resolvedUntil]);
  await sql.query(ENTRIES_OF_INCIDENTS, [ENTRIES]);
  await sql.query("VACUUM ANALYZE incidents, events, services");
}

const INCIDENTS = `
  WITH s AS (SELECT array_agg(id) AS ids FROM services)
  INSERT INTO incidents (title, status, severity, peak_severity, category, source, dedup_key, assignee, service_id,
    first_seen_at, last_seen_at, created_at, updated_at, resolved_at)
  SELECT
    'check ' || i || ' of ' || md5(i::text) || ' fails',
    CASE WHEN i > $3 THEN 'TRIGGERED' ELSE 'RESOLVED' END,
    'P' || i % 4, 'P' || i % 4,
    (ARRAY['APPLICATION_CRASH', 'DATABASE', 'PERFORMANCE', 'OTHER'])[1 + i % 4],
    'bench', 'bench ' || i, CASE WHEN i % 10 = 0 THEN 'person ' || i % 50 END,
    s.ids[1 + i % array_length(s.ids, 1)],
    t.at, t.at, t.at, t.at, CASE WHEN i <= $3 THEN t.at END
  FROM generate_series($1::int, $2::int) i, s, LATERAL (SELECT now() - ($2 - i) * interval '1 second' AS at) t`;

const ENTRIES_OF_INCIDENTS = `
  WITH written AS (
    INSERT INTO events (seq, type, at, actor, incident_id, service_id, severity, summary, payload, hash)
    SELECT h.head + row_number() OVER (ORDER BY k, i.number),
      (ARRAY['incident.raised', 'incident.note_added', 'incident.assigned'])[k],
      i.created_at, 'bench', i.id, i.service_id, i.severity, 'entry ' || k || ' of #' || i.number, '{"text": "a note"}', ''
    FROM incidents i, event_head h, generate_series(1, $1::int) k
    WHERE i.source = 'bench' AND NOT EXISTS (SELECT FROM events e WHERE e.incident_id = i.id)
    RETURNING 1)
  UPDATE event_head SET head = head + (SELECT count(*) FROM written)`;
