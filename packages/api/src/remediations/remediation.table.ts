import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { agentCommands, agents } from "../agents/agent.table.js";
import { probes } from "../agents/probe.table.js";
import { id, json, moment, updatedAt } from "../db/columns.js";
import { incidents } from "../incidents/incident.table.js";
import { RUN_STATUSES } from "./run.state.js";

const RISKS = ["R0", "R1", "R2", "R3"] as const;

export const remediationRuns = pgTable(
  "remediation_runs",
  {
    id: id(),
    kind: text("kind").notNull(),
    target: text("target").notNull(),
    input: json<Record<string, unknown>>("input").notNull(),
    risk: text("risk", { enum: RISKS }).notNull(),
    status: text("status", { enum: RUN_STATUSES }).notNull(),
    automatic: boolean("automatic").notNull().default(false),
    reason: text("reason"),
    agentId: uuid("agent_id")
      .notNull()
      .references(() => agents.id),
    probeId: uuid("probe_id").references(() => probes.id, { onDelete: "set null" }),
    item: text("item").notNull().default(""),
    incidentId: uuid("incident_id").references(() => incidents.id),
    preview: json("preview"),
    previewCommandId: uuid("preview_command_id").references(() => agentCommands.id),
    commandId: uuid("command_id").references(() => agentCommands.id),
    requestedBy: text("requested_by").notNull(),
    decidedBy: text("decided_by"),
    requestedAt: moment("requested_at").notNull().defaultNow(),
    startedAt: moment("started_at"),
    finishedAt: moment("finished_at"),
    verifyBy: moment("verify_by"),
    /** Only outcomes later than this one, by the agent's own clock, say whether the fix helped. */
    verifyAfter: moment("verify_after"),
    leaseUntil: moment("lease_until"),
    /** Whether a verified fix held: null as long as nobody can know. */
    held: boolean("held"),
    /** When the agent's word came for a run that had been given up. */
    lateReportAt: moment("late_report_at"),
    summary: text("summary"),
    survivors: json<number[]>("survivors"),
  },
  (t) => [
    index("remediation_runs_incident").on(t.incidentId),
    index("remediation_runs_probe").on(t.probeId),
    index("remediation_runs_requested").on(t.requestedAt.desc().nullsFirst(), t.id.desc().nullsFirst()),
    index("remediation_runs_target").on(t.agentId, t.target, t.requestedAt.desc().nullsFirst()),
    index("remediation_runs_live").on(t.status).where(sql`${t.finishedAt} is null`),
    index("remediation_runs_command").on(t.commandId),
    index("remediation_runs_finished").on(t.finishedAt),
    uniqueIndex("remediation_runs_one_live").on(t.agentId, t.target).where(sql`${t.finishedAt} is null`),
  ],
);
export type Risk = (typeof RISKS)[number];
export type RemediationRunRow = typeof remediationRuns.$inferSelect;

export const POLICY_MODES = ["APPROVAL", "AUTOMATIC"] as const;

export const remediationPolicies = pgTable(
  "remediation_policies",
  {
    id: id(),
    probeId: uuid("probe_id")
      .notNull()
      .references(() => probes.id, { onDelete: "cascade" }),
    mode: text("mode", { enum: POLICY_MODES }).notNull(),
    cooldownMs: bigint("cooldown_ms", { mode: "number" }).notNull(),
    maxAttempts: integer("max_attempts").notNull(),
    windowMs: bigint("window_ms", { mode: "number" }).notNull(),
    breakerAfter: integer("breaker_after").notNull(),
    maxShare: doublePrecision("max_share").notNull(),
    updatedAt: updatedAt(),
    updatedBy: text("updated_by").notNull(),
  },
  (t) => [uniqueIndex("remediation_policies_probe").on(t.probeId)],
);

export type RemediationPolicyRow = typeof remediationPolicies.$inferSelect;

/** Who may touch a target now. The row outlives its lease, because the fencing token must only ever grow. */
export const targetLocks = pgTable(
  "target_locks",
  {
    agentId: uuid("agent_id")
      .notNull()
      .references(() => agents.id, { onDelete: "cascade" }),
    target: text("target").notNull(),
    fencingToken: bigint("fencing_token", { mode: "number" }).notNull(),
    runId: uuid("run_id"),
    leaseUntil: moment("lease_until"),
    /** Verifications that failed in a row; the breaker is open while `breakerOpenUntil` lies ahead. */
    failedVerifies: integer("failed_verifies").notNull().default(0),
    breakerOpenUntil: moment("breaker_open_until"),
  },
  (t) => [primaryKey({ columns: [t.agentId, t.target] })],
);

/** What automation was refused on an incident, and by which rule: said once, not at every sweep. */
export const remediationRefusals = pgTable(
  "remediation_refusals",
  {
    incidentId: uuid("incident_id")
      .notNull()
      .references(() => incidents.id, { onDelete: "cascade" }),
    rule: text("rule").notNull(),
    message: text("message").notNull(),
    at: moment("at").notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.incidentId, t.rule] })],
);

/** One row: the kill switch for automatic and approved remediation alike. */
export const processing = pgTable("processing", {
  only: boolean("only").primaryKey().default(true),
  paused: boolean("paused").notNull().default(false),
  reason: text("reason"),
  owner: text("owner"),
  since: moment("since"),
  until: moment("until"),
});
