import { and, asc, eq, inArray, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db/database.js";
import type { Connection, Paging } from "../graphql/connection.js";
import type { LoaderDefinition } from "../graphql/context.js";
import { byId, contains, listOf } from "../graphql/table-queries.js";
import { type AGENT_STATUSES, type AgentRow, agentSessions, agents, spoolGaps } from "./agent.table.js";

export type AgentStatus = (typeof AGENT_STATUSES)[number];
export type SpoolGapRow = typeof spoolGaps.$inferSelect;

export interface AgentConditions {
  statuses?: AgentStatus[] | null;
  search?: string | null;
  labels?: Record<string, string> | null;
}

/** Agents by name; those of the same name (one was revoked) by id. */
export function findAgents(db: Db, conditions: AgentConditions, paging: Paging): Promise<Connection<AgentRow>> {
  return listOf(db, agents, {
    paging,
    orderBy: [
      { key: "name", column: agents.name },
      { key: "id", column: agents.id },
    ],
    where: conditionsSql(conditions),
  });
}

const conditionsSql = ({ statuses, search, labels }: AgentConditions): SQL | undefined =>
  and(
    statuses ? inArray(agents.status, statuses) : undefined,
    search ? contains(agents.name, search) : undefined,
    labels ? sql`${agents.labels} @> ${JSON.stringify(labels)}::jsonb` : undefined,
  );

export const agentById = byId(agents);

/** The agent of that name that is not revoked; else the one revoked last. */
export async function agentByName(db: Db, name: string): Promise<AgentRow | null> {
  const [row] = await db
    .select()
    .from(agents)
    .where(eq(agents.name, name))
    .orderBy(sql`${agents.revokedAt} DESC NULLS FIRST`)
    .limit(1);
  return row ?? null;
}

export const lastSeenOf: LoaderDefinition<string, Date> = async (db, ids) => {
  const rows = await db
    .select({ id: agentSessions.agentId, at: agentSessions.lastSeenAt })
    .from(agentSessions)
    .where(inArray(agentSessions.agentId, [...ids]));
  const byId = new Map(rows.map((row) => [row.id, row.at]));
  return ids.map((id) => byId.get(id) ?? null);
};

/** The newest 100 gaps of each agent. */
export const spoolGapsOf: LoaderDefinition<string, SpoolGapRow[]> = async (db, ids) => {
  const ranked = db
    .select({
      id: spoolGaps.id,
      rank: sql<number>`row_number() over (partition by ${spoolGaps.agentId} order by ${spoolGaps.recordedAt} desc, ${spoolGaps.from} desc)`.as(
        "rank",
      ),
    })
    .from(spoolGaps)
    .where(inArray(spoolGaps.agentId, [...ids]))
    .as("ranked");
  const rows = await db
    .select()
    .from(spoolGaps)
    .innerJoin(ranked, and(eq(ranked.id, spoolGaps.id), sql`${ranked.rank} <= 100`))
    .orderBy(asc(spoolGaps.recordedAt), asc(spoolGaps.from));
  return ids.map((id) => rows.map((row) => row.spool_gaps).filter((gap) => gap.agentId === id));
};
