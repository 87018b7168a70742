import { sql } from "drizzle-orm";
import { bigint, boolean, index, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { moment } from "../db/columns.js";
import { SEVERITIES } from "../kernel/vocabulary.js";

/**
 * Outbox, audit trail and subscription log at once. `seq` is dense and commit-ordered: only the SQL function
 * `append_events` writes here, as the last statement of the transaction that made the change.
 * `hash` = SHA-256(hash of the event before ‖ event_body(event)).
 */
export const events = pgTable(
  "events",
  {
    seq: bigint("seq", { mode: "number" }).primaryKey(),
    type: text("type").notNull(),
    at: moment("at").notNull(),
    actor: text("actor").notNull(),
    incidentId: uuid("incident_id"),
    serviceId: uuid("service_id"),
    severity: text("severity", { enum: SEVERITIES }),
    summary: text("summary").notNull(),
    payload: jsonb("payload").$type<Record<string, unknown>>().notNull(),
    hash: text("hash").notNull(),
  },
  // Each index is written while `event_head` is locked, so types and severities, of which a log holds many, have none.
  (t) => [
    index("events_incident").on(t.incidentId, t.seq),
    index("events_service").on(t.serviceId, t.seq).where(sql`${t.serviceId} is not null`),
  ],
);
export type EventRow = typeof events.$inferSelect;

/**
 * One row. Its lock orders commits; `epoch` is new in every database. A restore brings the old one back, and
 * nothing here renews it: docs/scaling.md says how.
 */
export const eventHead = pgTable("event_head", {
  only: boolean("only").primaryKey().default(true),
  head: bigint("head", { mode: "number" }).notNull().default(0),
  hash: text("hash").notNull().default(""),
  epoch: uuid("epoch").notNull().defaultRandom(),
});
