import type { OutcomeStatus } from "@poppo-ops/plugins/wire";
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { type Connection, type OrderBy, type Paging, paginate } from "../graphql/connection.js";
import type { LoaderDefinition, Loaders } from "../graphql/context.js";
import { listOf } from "../graphql/table-queries.js";
import { type ProbeStateRow, probeState } from "./probe.table.js";

export interface ProbeStateConditions {
  agentIds?: string[] | null;
  probeIds?: string[] | null;
  statuses?: OutcomeStatus[] | null;
}

const agentId: OrderBy = { key: "agentId", column: probeState.agentId };
const probeId: OrderBy = { key: "probeId", column: probeState.probeId };
const item: OrderBy = { key: "item", column: probeState.item };

export function findProbeStates(
  db: Db,
  { agentIds, probeIds, statuses }: ProbeStateConditions,
  paging: Paging,
): Promise<Connection<ProbeStateRow>> {
  return listOf(db, probeState, {
    paging,
    orderBy: [agentId, probeId, item],
    where: and(
      agentIds ? inArray(probeState.agentId, agentIds) : undefined,
      probeIds ? inArray(probeState.probeId, probeIds) : undefined,
      statuses ? inArray(probeState.status, statuses) : undefined,
    ),
  });
}

export type StatesOwner = "agentId" | "probeId";

/**
 * The states of one agent, or of one probe. The first pages of all agents of a list are one statement; whoever pages on
 * does so in one of them.
 */
export function findStatesOf(
  { db, loaders }: { db: Db; loaders: Loaders },
  owner: StatesOwner,
  id: string,
  paging: Paging,
): Promise<Connection<ProbeStateRow>> {
  return paginate<ProbeStateRow>({
    paging,
    orderBy: ORDERS[owner],
    where: eq(probeState[owner], id),
    select: async (where, orderBy, limit) =>
      paging.after
        ? db
            .select()
            .from(probeState)
            .where(where)
            .orderBy(...orderBy)
            .limit(limit)
        : (await loaders.load(FIRST_PAGES[owner], `${id} ${limit}`))!,
    count: async () => (await loaders.load(COUNTS[owner], id))!,
  });
}

const ORDERS: Record<StatesOwner, OrderBy[]> = {
  agentId: [agentId, probeId, item],
  probeId: [probeId, agentId, item],
};

/** Key: `<id> <rows>`. */
const firstPagesBy =
  (owner: StatesOwner): LoaderDefinition<string, ProbeStateRow[]> =>
  async (db, keys) => {
    const wantedKeys = keys.map((key) => key.split(" ") as [id: string, limit: string]);
    const wanted = db
      .select({
        id: sql<string>`w.id`.as("wanted_id"),
        rows: sql<number>`w.rows`.as("wanted_rows"),
        page: sql<number>`w.page::int`.as("wanted_page"),
      })
      .from(
        sql`unnest(${sql.param(wantedKeys.map(([id]) => id))}::uuid[], ${sql.param(wantedKeys.map(([, n]) => n))}::int[])
          WITH ORDINALITY AS w(id, rows, page)`,
      )
      .as("wanted");
    const page = db
      .select()
      .from(probeState)
      .where(eq(probeState[owner], wanted.id))
      .orderBy(...ORDERS[owner].map(({ column }) => asc(column)))
      .limit(sql`${wanted.rows}` as never)
      .as("page");
    const rows = await db.select().from(wanted).crossJoinLateral(page);
    return keys.map((_, i) => rows.filter((row) => row.wanted.page === i + 1).map((row) => row.page as ProbeStateRow));
  };

const countsBy =
  (owner: StatesOwner): LoaderDefinition<string, number> =>
  async (db, ids) => {
    const column = probeState[owner];
    const rows = await db
      .select({ id: column, count: sql<number>`count(*)::int` })
      .from(probeState)
      .where(inArray(column, [...ids]))
      .groupBy(column);
    const byId = new Map(rows.map((row) => [row.id, row.count]));
    return ids.map((id) => byId.get(id) ?? 0);
  };

const FIRST_PAGES = { agentId: firstPagesBy("agentId"), probeId: firstPagesBy("probeId") };
const COUNTS = { agentId: countsBy("agentId"), probeId: countsBy("probeId") };
