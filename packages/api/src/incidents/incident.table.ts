import { sql } from "drizzle-orm";
import { type AnyPgColumn, index, integer, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { createdAt, id, json, moment, updatedAt } from "../db/columns.js";
import { CATEGORIES, SEVERITIES } from "../kernel/vocabulary.js";
import { services } from "../services/service.table.js";
import { INCIDENT_STATUSES } from "./incident.state.js";

export const incidents = pgTable(
  "incidents",
  {
    id: id(),
    number: integer("number").notNull().generatedAlwaysAsIdentity(),
    title: text("title").notNull(),
    description: text("description").notNull().default(""),
    status: text("status", { enum: INCIDENT_STATUSES }).notNull().default("TRIGGERED"),
    severity: text("severity", { enum: SEVERITIES }).notNull(),
    peakSeverity: text("peak_severity", { enum: SEVERITIES }).notNull(),
    category: text("category", { enum: CATEGORIES }).notNull().default("OTHER"),
    source: text("source").notNull(),
    dedupKey: text("dedup_key"),
    duplicateCount: integer("duplicate_count").notNull().default(0),
    firstSeenAt: moment("first_seen_at").notNull().defaultNow(),
    lastSeenAt: moment("last_seen_at").notNull().defaultNow(),
    acknowledgedAt: moment("acknowledged_at"),
    acknowledgedBy: text("acknowledged_by"),
    assignee: text("assignee"),
    snoozedUntil: moment("snoozed_until"),
    resolvedAt: moment("resolved_at"),
    resolvedBy: text("resolved_by"),
    resolution: text("resolution"),
    evidence: json("evidence"),
    serviceId: uuid("service_id").references(() => services.id, { onDelete: "restrict" }),
    mergedIntoId: uuid("merged_into_id").references((): AnyPgColumn => incidents.id),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex("incidents_number").on(t.number),
    // One open incident per cause: two raises race here, and one becomes the duplicate of the other.
    uniqueIndex("incidents_open_dedup_key")
      .on(t.dedupKey)
      .where(sql`${t.status} in ('TRIGGERED', 'ACKNOWLEDGED', 'SNOOZED')`),
    // NULLS FIRST is what `ORDER BY … DESC` means in PostgreSQL, and an index of the other kind is not used for it.
    index("incidents_status_number").on(t.status, t.number.desc().nullsFirst()),
    index("incidents_status_severity").on(t.status, t.severity, t.number.desc().nullsFirst()),
    index("incidents_severity_number").on(t.severity, t.number.desc().nullsFirst()),
    index("incidents_last_seen").on(t.lastSeenAt.desc().nullsFirst(), t.number.desc().nullsFirst()),
    index("incidents_service").on(t.serviceId, t.number.desc().nullsFirst()),
    index("incidents_assignee").on(t.assignee, t.number.desc().nullsFirst()).where(sql`${t.assignee} is not null`),
    index("incidents_source").on(t.source, t.number.desc().nullsFirst()),
    index("incidents_snoozed").on(t.snoozedUntil).where(sql`${t.status} = 'SNOOZED'`),
    // A merged cause that fails again is looked for by its key.
    index("incidents_merged_key").on(t.dedupKey).where(sql`${t.status} = 'MERGED'`),
    index("incidents_merged_into").on(t.mergedIntoId).where(sql`${t.mergedIntoId} is not null`),
    index("incidents_title_search").using("gin", sql`${t.title} gin_trgm_ops`),
  ],
);
export type IncidentRow = typeof incidents.$inferSelect;
