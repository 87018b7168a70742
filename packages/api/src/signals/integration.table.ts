import { sql } from "drizzle-orm";
import { index, pgTable, primaryKey, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { createdAt, id, json, moment, updatedAt } from "../db/columns.js";
import { incidents } from "../incidents/incident.table.js";
import { CATEGORIES, SEVERITIES, type Severity } from "../kernel/vocabulary.js";
import { services } from "../services/service.table.js";

/** What can send signals here. Each kind has a route of its own, `/integrations/<kind>/<key>`. */
export const INTEGRATION_KINDS = ["ALERTMANAGER"] as const;
export type IntegrationKind = (typeof INTEGRATION_KINDS)[number];

export const integrations = pgTable(
  "integrations",
  {
    id: id(),
    name: text("name").notNull(),
    kind: text("kind", { enum: INTEGRATION_KINDS }).notNull(),
    prefix: text("prefix").notNull(),
    hash: text("hash").notNull(),
    /** Our severity by theirs, which is in small letters. */
    severities: json<Readonly<Record<string, Severity>>>("severities").notNull(),
    defaultSeverity: text("default_severity", { enum: SEVERITIES }).notNull(),
    category: text("category", { enum: CATEGORIES }).notNull(),
    serviceId: uuid("service_id").references(() => services.id, { onDelete: "set null" }),
    createdBy: text("created_by").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    revokedAt: moment("revoked_at"),
    lastReceivedAt: moment("last_received_at"),
  },
  (t) => [
    uniqueIndex("integrations_hash").on(t.hash),
    uniqueIndex("integrations_name").on(t.name).where(sql`${t.revokedAt} is null`),
  ],
);
export type IntegrationRow = typeof integrations.$inferSelect;

/** What is firing now, as its integration last said. The counterpart of a probe's state: an incident stands on these rows. */
export const firingAlerts = pgTable(
  "firing_alerts",
  {
    integrationId: uuid("integration_id")
      .notNull()
      .references(() => integrations.id, { onDelete: "cascade" }),
    fingerprint: text("fingerprint").notNull(),
    /** Of the newest time it began to fire. */
    startsAt: moment("starts_at").notNull(),
    incidentId: uuid("incident_id")
      .notNull()
      .references(() => incidents.id),
  },
  (t) => [primaryKey({ columns: [t.integrationId, t.fingerprint] }), index("firing_alerts_incident").on(t.incidentId)],
);
