import { sql } from "drizzle-orm";
import { bigint, index, jsonb, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { createdAt, id, json, type Labels, moment } from "../db/columns.js";
import { incidents } from "../incidents/incident.table.js";

/** ONLINE has a session · OFFLINE has none yet within its grace · DOWN has been silent for too long · REVOKED for good. */
export const AGENT_STATUSES = ["ONLINE", "OFFLINE", "DOWN", "REVOKED"] as const;

export const agents = pgTable(
  "agents",
  {
    id: id(),
    name: text("name").notNull(),
    status: text("status", { enum: AGENT_STATUSES }).notNull().default("OFFLINE"),
    publicKey: json<Record<string, string>>("public_key").notNull(),
    labels: json<Labels>("labels").notNull().default({}),
    facts: json<Record<string, unknown>>("facts").notNull().default({}),
    version: text("version").notNull().default(""),
    enrolledAt: moment("enrolled_at").notNull().defaultNow(),
    connectedAt: moment("connected_at"),
    revokedAt: moment("revoked_at"),
    /** While it is DOWN: when it was last heard of, and the incident that was raised for that. */
    downSince: moment("down_since"),
    downIncidentId: uuid("down_incident_id").references(() => incidents.id),
  },
  (t) => [
    uniqueIndex("agents_name").on(t.name).where(sql`${t.revokedAt} is null`),
    index("agents_status").on(t.status),
    index("agents_down_incident").on(t.downIncidentId).where(sql`${t.status} = 'DOWN'`),
  ],
);
export type AgentRow = typeof agents.$inferSelect;

/**
 * The hot row of an agent. `sessionId` fences: only the newest session may write results.
 * `spoolEpoch`/`ackedSeq` is the high-water mark: every result up to it is committed.
 */
export const agentSessions = pgTable("agent_sessions", {
  agentId: uuid("agent_id")
    .primaryKey()
    .references(() => agents.id, { onDelete: "cascade" }),
  sessionId: uuid("session_id"),
  spoolEpoch: uuid("spool_epoch"),
  ackedSeq: bigint("acked_seq", { mode: "number" }).notNull().default(0),
  lastSeenAt: moment("last_seen_at"),
});

export const enrolmentTokens = pgTable(
  "enrolment_tokens",
  {
    id: id(),
    hash: text("hash").notNull(),
    prefix: text("prefix").notNull(),
    namePattern: text("name_pattern").notNull(),
    labels: json<Labels>("labels").notNull().default({}),
    createdBy: text("created_by").notNull(),
    createdAt: createdAt(),
    expiresAt: moment("expires_at").notNull(),
    usedAt: moment("used_at"),
    agentId: uuid("agent_id").references(() => agents.id),
  },
  (t) => [uniqueIndex("enrolment_tokens_hash").on(t.hash)],
);

/** What an agent's spool had to drop, by its own word. */
export const spoolGaps = pgTable(
  "spool_gaps",
  {
    id: id(),
    agentId: uuid("agent_id")
      .notNull()
      .references(() => agents.id, { onDelete: "cascade" }),
    epoch: uuid("epoch").notNull(),
    from: bigint("from_seq", { mode: "number" }).notNull(),
    to: bigint("to_seq", { mode: "number" }).notNull(),
    reason: text("reason").notNull(),
    recordedAt: moment("recorded_at").notNull().defaultNow(),
  },
  (t) => [uniqueIndex("spool_gaps_once").on(t.agentId, t.epoch, t.from)],
);

/** What the server told an agent to do. `payload` is the exact text that was signed. */
export const agentCommands = pgTable(
  "agent_commands",
  {
    id: id(),
    agentId: uuid("agent_id")
      .notNull()
      .references(() => agents.id, { onDelete: "cascade" }),
    kind: text("kind", { enum: ["RUN_PROBE", "PREVIEW", "REMEDIATE", "CANCEL"] }).notNull(),
    payload: text("payload").notNull(),
    signature: text("signature").notNull(),
    fencingToken: bigint("fencing_token", { mode: "number" }).notNull(),
    startBy: moment("start_by").notNull(),
    createdAt: createdAt(),
    startedAt: moment("started_at"),
    endedAt: moment("ended_at"),
    end: text("end"),
    summary: text("summary"),
    result: jsonb("result"),
    survivors: jsonb("survivors").$type<number[]>(),
  },
  (t) => [index("agent_commands_open").on(t.agentId).where(sql`${t.endedAt} is null`)],
);
export type AgentCommandRow = typeof agentCommands.$inferSelect;

/** Live output of a command, in order of `seq`. */
export const commandOutput = pgTable(
  "command_output",
  {
    commandId: uuid("command_id")
      .notNull()
      .references(() => agentCommands.id, { onDelete: "cascade" }),
    seq: bigint("seq", { mode: "number" }).notNull(),
    stream: text("stream", { enum: ["stdout", "stderr", "system"] }).notNull(),
    offset: bigint("offset", { mode: "number" }).notNull(),
    text: text("text").notNull(),
  },
  (t) => [uniqueIndex("command_output_seq").on(t.commandId, t.seq)],
);
