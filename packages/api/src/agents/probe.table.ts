import { type Metrics, OUTCOME_STATUSES } from "@poppo-ops/plugins/wire";
import { boolean, index, integer, pgTable, primaryKey, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { createdAt, id, json, type Labels, moment, updatedAt } from "../db/columns.js";
import { incidents } from "../incidents/incident.table.js";
import { CATEGORIES, SEVERITIES } from "../kernel/vocabulary.js";
import { services } from "../services/service.table.js";
import type { SignalRules } from "../signals/signal-rules.js";
import { agents } from "./agent.table.js";

export const probes = pgTable(
  "probes",
  {
    id: id(),
    name: text("name").notNull(),
    kind: text("kind").notNull(),
    config: json<Record<string, unknown>>("config").notNull().default({}),
    agentSelector: json<Labels>("agent_selector").notNull().default({}),
    intervalMs: integer("interval_ms").notNull(),
    retryIntervalMs: integer("retry_interval_ms").notNull(),
    timeoutMs: integer("timeout_ms").notNull(),
    enabled: boolean("enabled").notNull().default(true),
    severity: text("severity", { enum: SEVERITIES }).notNull().default("P2"),
    category: text("category", { enum: CATEGORIES }).notNull().default("OTHER"),
    serviceId: uuid("service_id").references(() => services.id, { onDelete: "set null" }),
    rules: json<SignalRules>("rules").notNull(),
    remediation: json<{ kind: string; input: Record<string, unknown> }>("remediation"),
    version: integer("version").notNull().default(1),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex("probes_name").on(t.name)],
);
export type ProbeRow = typeof probes.$inferSelect;

/** The latest state of each probed thing, and where its state machine stands. */
export const probeState = pgTable(
  "probe_state",
  {
    agentId: uuid("agent_id")
      .notNull()
      .references(() => agents.id, { onDelete: "cascade" }),
    probeId: uuid("probe_id")
      .notNull()
      .references(() => probes.id, { onDelete: "cascade" }),
    item: text("item").notNull(),
    status: text("status", { enum: OUTCOME_STATUSES }).notNull(),
    hardStatus: text("hard_status", { enum: OUTCOME_STATUSES }).notNull(),
    attempt: integer("attempt").notNull(),
    since: moment("since").notNull(),
    /** The last outcomes that changed, one bit each, newest lowest: what flapping is counted from. */
    changes: integer("changes").notNull().default(0),
    flapping: boolean("flapping").notNull().default(false),
    reporting: boolean("reporting").notNull().default(true),
    lastAt: moment("last_at").notNull(),
    summary: text("summary").notNull(),
    metrics: json<Metrics>("metrics"),
    evidence: json<Record<string, unknown>>("evidence"),
    incidentId: uuid("incident_id").references(() => incidents.id),
  },
  (t) => [
    primaryKey({ columns: [t.agentId, t.probeId, t.item] }),
    index("probe_state_probe").on(t.probeId),
    index("probe_state_status").on(t.status),
    index("probe_state_incident").on(t.incidentId),
  ],
);
export type ProbeStateRow = typeof probeState.$inferSelect;

/** Probes that should report from an agent and do not: one row, and one incident, as long as that lasts. */
export const missingResults = pgTable(
  "missing_results",
  {
    agentId: uuid("agent_id")
      .notNull()
      .references(() => agents.id, { onDelete: "cascade" }),
    probeId: uuid("probe_id")
      .notNull()
      .references(() => probes.id, { onDelete: "cascade" }),
    since: moment("since").notNull(),
    incidentId: uuid("incident_id").references(() => incidents.id),
  },
  (t) => [
    primaryKey({ columns: [t.agentId, t.probeId] }),
    index("missing_results_probe").on(t.probeId),
    index("missing_results_incident").on(t.incidentId),
  ],
);
