import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import pg from "pg";
import { load } from "./load-process.js";

const STATEMENT = {
  name: "dashboard",
  text: `SELECT json_build_object('data', json_build_object('incidents', json_build_object(
      'nodes', coalesce(json_agg(row ORDER BY number DESC) FILTER (WHERE place <= 50), '[]'),
      'pageInfo', json_build_object('hasNextPage', count(*) > 50))))::text AS answer
    FROM (
      SELECT i.number, row_number() OVER (ORDER BY i.number DESC) AS place, json_build_object(
        'id', i.id, 'number', i.number, 'title', i.title, 'status', i.status, 'severity', i.severity, 'category', i.category,
        'assignee', i.assignee, 'lastSeenAt', i.last_seen_at,
        'service', json_build_object('name', s.name, 'owner', s.owner),
        'lastEvent', json_build_object('type', e.type, 'at', e.at, 'actor', e.actor, 'summary', e.summary)) AS row
      FROM (SELECT * FROM incidents WHERE status = 'TRIGGERED' ORDER BY number DESC LIMIT 51) i
      JOIN services s ON s.id = i.service_id
      CROSS JOIN LATERAL (SELECT * FROM events WHERE incident_id = i.id ORDER BY seq DESC LIMIT 1) e) page`,
};

/** The limit of a query: the answer made by one statement, handed through by bare `node:http`. */
load<{ databaseUrl: string }, string>(async ({ databaseUrl }) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const server = createServer(async (request, response) => {
    for await (const _ of request);
    const { rows } = await pool.query(STATEMENT);
    response.setHeader("content-type", "application/json").end(rows[0].answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
