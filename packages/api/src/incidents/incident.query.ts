import { and, desc, eq, gt, ilike, inArray, lt, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { type EventRow, events } from "../events/event.table.js";
import { type Connection, countRows, type OrderBy, type Paging, paginate } from "../graphql/connection.js";
import { inOrder, type LoaderDefinition } from "../graphql/context.js";
import type { IncidentCategory, Severity } from "../kernel/vocabulary.js";
import type { IncidentStatus } from "./incident.state.js";
import { type IncidentRow, incidents } from "./incident.table.js";

export interface IncidentConditions {
  statuses?: IncidentStatus[] | null;
  severities?: Severity[] | null;
  categories?: IncidentCategory[] | null;
  serviceIds?: string[] | null;
  assignee?: string | null;
  source?: string | null;
  search?: string | null;
  createdAfter?: Date | null;
  createdBefore?: Date | null;
}

export const INCIDENT_ORDERS = ["NEWEST", "OLDEST", "SEVERITY", "LAST_SEEN"] as const;
export type IncidentOrder = (typeof INCIDENT_ORDERS)[number];

const number = { key: "number", column: incidents.number };
const ORDERS: Record<IncidentOrder, OrderBy[]> = {
  NEWEST: [{ ...number, descending: true }],
  OLDEST: [number],
  SEVERITY: [
    { key: "severity", column: incidents.severity },
    { ...number, descending: true },
  ],
  LAST_SEEN: [
    { key: "lastSeenAt", column: incidents.lastSeenAt, descending: true },
    { ...number, descending: true },
  ],
};

export function findIncidents(
  db: Db,
  conditions: IncidentConditions,
  order: IncidentOrder,
  paging: Paging,
): Promise<Connection<IncidentRow>> {
  return paginate<IncidentRow>({
    paging,
    orderBy: ORDERS[order],
    where: conditionsSql(conditions),
    select: (where, orderBy, limit) =>
      db
        .select()
        .from(incidents)
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    count: (where) => countRows(db, incidents, where),
  });
}

function conditionsSql(given: IncidentConditions): SQL | undefined {
  return and(
    given.statuses ? inArray(incidents.status, given.statuses) : undefined,
    given.severities ? inArray(incidents.severity, given.severities) : undefined,
    given.categories ? inArray(incidents.category, given.categories) : undefined,
    given.serviceIds ? inArray(incidents.serviceId, given.serviceIds) : undefined,
    given.assignee ? eq(incidents.assignee, given.assignee) : undefined,
    given.source ? eq(incidents.source, given.source) : undefined,
    given.search ? ilike(incidents.title, `%${given.search.replace(/[\\%_]/g, "\\$&")}%`) : undefined,
    given.createdAfter ? gt(incidents.createdAt, given.createdAfter) : undefined,
    given.createdBefore ? lt(incidents.createdAt, given.createdBefore) : undefined,
  );
}

export const incidentById: LoaderDefinition<string, IncidentRow> = async (db, ids) =>
  inOrder(
    ids,
    await db
      .select()
      .from(incidents)
      .where(inArray(incidents.id, [...ids])),
    (row) => row.id,
  );

export async function incidentByNumber(db: Db, value: number): Promise<IncidentRow | null> {
  const [row] = await db.select().from(incidents).where(eq(incidents.number, value));
  return row ?? null;
}

/** The newest timeline entry of each incident: one index probe per incident, in one statement. */
export const lastEventOf: LoaderDefinition<string, EventRow> = async (db, ids) => {
  const wanted = db
    .select({ id: sql<string>`wanted.id`.as("wanted_id") })
    .from(sql`unnest(${sql.param([...ids])}::uuid[]) AS wanted(id)`)
    .as("wanted_ids");
  const last = db
    .select()
    .from(events)
    .where(eq(events.incidentId, wanted.id))
    .orderBy(desc(events.seq))
    .limit(1)
    .as("last_event");
  const rows = await db.select().from(wanted).crossJoinLateral(last);
  return inOrder(
    ids,
    rows.map((row) => row.last_event as EventRow),
    (row) => row.incidentId!,
  );
};
