import { OUTCOME_STATUSES, type OutcomeStatus } from "@poppo-ops/plugins/wire";
import { and, eq, gte, inArray, lt, sql } from "drizzle-orm";
import { bigint, customType, pgTable, real, text, uuid } from "drizzle-orm/pg-core";
import { moment } from "../db/columns.js";
import type { Db } from "../db/database.js";
import type { Connection, Paging } from "../graphql/connection.js";
import { listOf } from "../graphql/table-queries.js";

/** Numbers on the disk, words everywhere else. */
const status = customType<{ data: OutcomeStatus; driverData: number }>({
  dataType: () => "smallint",
  fromDriver: (number) => OUTCOME_STATUSES[number]!,
  toDriver: (word) => OUTCOME_STATUSES.indexOf(word),
});

/** Partitioned by hour, so its migration is written by hand: drizzle-kit reads only `*.table.ts`. */
export const probeResults = pgTable("probe_results", {
  at: moment("at").notNull(),
  agentId: uuid("agent_id").notNull(),
  probeId: uuid("probe_id").notNull(),
  item: text("item").notNull(),
  seq: bigint("seq", { mode: "number" }).notNull(),
  durationMs: real("duration_ms").notNull(),
  status: status("status").notNull(),
  summary: text("summary").notNull(),
  metrics: text("metrics"),
});
export type ProbeResultRow = typeof probeResults.$inferSelect;

export interface ProbeResultConditions {
  probeId: string;
  agentIds?: string[] | null;
  item?: string | null;
  statuses?: OutcomeStatus[] | null;
  since?: Date | null;
  until?: Date | null;
}

/**
 * Results of one probe, newest first. History has an index by time alone, because one by probe would cost every insert
 * more than it gives these few readers: the time span is what bounds the work.
 */
export function findResults(
  db: Db,
  { probeId, agentIds, item, statuses, since, until }: ProbeResultConditions,
  paging: Paging,
): Promise<Connection<ProbeResultRow>> {
  const end = until ? sql`${until.toISOString()}::timestamptz` : sql`now()`;
  return listOf(db, probeResults, {
    paging,
    orderBy: [
      { key: "at", column: probeResults.at, descending: true },
      { key: "agentId", column: probeResults.agentId, descending: true },
      { key: "seq", column: probeResults.seq, descending: true },
    ],
    where: and(
      eq(probeResults.probeId, probeId),
      agentIds ? inArray(probeResults.agentId, agentIds) : undefined,
      item == null ? undefined : eq(probeResults.item, item),
      statuses ? inArray(probeResults.status, statuses) : undefined,
      since ? gte(probeResults.at, since) : sql`${probeResults.at} >= ${end} - interval '1 hour'`,
      until ? lt(probeResults.at, until) : undefined,
    ),
  });
}
