import type pg from "pg";
import type { Statement } from "../db/database.js";
import type { AlertOrigin } from "./alertmanager.incident.js";

export type ReceivingIntegration = AlertOrigin["integration"] & { stale: boolean };

/**
 * Those of these integrations that are in use. Their rows stay locked: what two replicas receive for one of them is
 * applied one after the other, and none is revoked half-way.
 */
export const lockIntegrations = (ids: string[]): Statement => ({
  name: "lock_integrations",
  text: `SELECT id, name, severities, default_severity AS "defaultSeverity", category, service_id AS "serviceId",
      last_received_at IS NULL OR last_received_at < now() - interval '1 minute' AS stale
    FROM integrations WHERE id = ANY($1::uuid[]) AND revoked_at IS NULL ORDER BY id FOR NO KEY UPDATE`,
  values: [ids],
});

/** Ids by name of those that are in the catalogue; locked, so that none is removed before the reference to it stands. */
export async function lockServices(client: pg.PoolClient, names: string[]): Promise<Map<string, string>> {
  if (names.length === 0) return new Map();
  const { rows } = await client.query<{ id: string; name: string }>(
    "SELECT id, name FROM services WHERE name = ANY($1::text[]) ORDER BY id FOR KEY SHARE",
    [names],
  );
  return new Map(rows.map(({ id, name }) => [name, id]));
}

/** To the minute: a version of the row per request would be a lot of dead rows. */
export const noteReceived = (ids: string[]): Statement => ({
  text: "UPDATE integrations SET last_received_at = now() WHERE id = ANY($1::uuid[])",
  values: [ids],
});

export interface FiringAlert {
  integrationId: string;
  fingerprint: string;
  startsAt: string;
  incidentId: string;
}

/** Remembers what fires, since when, and the incident that stands for it. A repeat changes nothing and writes nothing. */
export const keepFiring = (alerts: FiringAlert[]): Statement => ({
  name: "keep_firing",
  text: `INSERT INTO firing_alerts AS f (integration_id, fingerprint, starts_at, incident_id)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::uuid[])
      g(integration_id, fingerprint, starts_at, incident_id)
    WHERE NOT EXISTS (
      SELECT FROM firing_alerts o WHERE o.integration_id = g.integration_id AND o.fingerprint = g.fingerprint
        AND o.starts_at >= g.starts_at AND o.incident_id = g.incident_id)
    ON CONFLICT (integration_id, fingerprint) DO UPDATE
      SET starts_at = greatest(f.starts_at, excluded.starts_at), incident_id = excluded.incident_id`,
  values: [
    alerts.map((alert) => alert.integrationId),
    alerts.map((alert) => alert.fingerprint),
    alerts.map((alert) => alert.startsAt),
    alerts.map((alert) => alert.incidentId),
  ],
});

export interface EndedAlert {
  integrationId: string;
  fingerprint: string;
  /** Null: the sender does not say when. */
  endsAt: string | null;
}

/**
 * Forgets what fires no more. An alert that began again after this end goes on: the end was overtaken.
 * @returns those forgotten, each with the incident it raised
 */
export async function releaseFiring(
  client: pg.PoolClient,
  ended: EndedAlert[],
): Promise<{ integrationId: string; fingerprint: string; incidentId: string }[]> {
  const { rows } = await client.query({
    name: "release_firing",
    text: `DELETE FROM firing_alerts f
     USING unnest($1::uuid[], $2::text[], $3::timestamptz[]) g(integration_id, fingerprint, ends_at)
     WHERE f.integration_id = g.integration_id AND f.fingerprint = g.fingerprint
       AND f.starts_at <= coalesce(g.ends_at, 'infinity')
     RETURNING f.integration_id AS "integrationId", f.fingerprint, f.incident_id AS "incidentId"`,
    values: [
      ended.map((alert) => alert.integrationId),
      ended.map((alert) => alert.fingerprint),
      ended.map((alert) => alert.endsAt),
    ],
  });
  return rows;
}
