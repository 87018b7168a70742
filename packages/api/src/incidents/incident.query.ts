import { and, eq, gt, inArray, isNotNull, isNull, lt, type SQL } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { type Connection, countRows, type OrderBy, type Paging, paginate } from "../graphql/connection.js";
import { byId, contains } from "../graphql/table-queries.js";
import type { IncidentCategory, Severity } from "../kernel/vocabulary.js";
import type { IncidentStatus } from "./incident.state.js";
import { type IncidentRow, incidents } from "./incident.table.js";
import { type ListedFields, type ListedIncident, readPage } from "./incident-list.js";

export interface IncidentConditions {
  statuses?: IncidentStatus[] | null;
  severities?: Severity[] | null;
  categories?: IncidentCategory[] | null;
  serviceIds?: string[] | null;
  assignee?: string | null;
  assigned?: boolean | null;
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
  fields: ListedFields = {},
): Promise<Connection<ListedIncident>> {
  return paginate<ListedIncident>({
    paging,
    orderBy: ORDERS[order],
    where: conditionsSql(conditions),
    select: (where, orderBy, limit) => readPage(db, fields, where, orderBy, limit),
    count: (where) => countRows(db, incidents, where),
  });
}

function conditionsSql(given: IncidentConditions): SQL | undefined {
  return and(
    given.statuses ? inArray(incidents.status, given.statuses) : undefined,
    given.severities ? inArray(incidents.severity, given.severities) : undefined,
    given.categories ? inArray(incidents.category, given.categories) : undefined,
    given.serviceIds ? inArray(incidents.serviceId, given.serviceIds) : undefined,
    typeof given.assignee === "string" ? eq(incidents.assignee, given.assignee) : undefined,
    typeof given.assigned === "boolean" ? isAssigned(given.assigned) : undefined,
    typeof given.source === "string" ? eq(incidents.source, given.source) : undefined,
    given.search ? contains(incidents.title, given.search) : undefined,
    given.createdAfter ? gt(incidents.createdAt, given.createdAfter) : undefined,
    given.createdBefore ? lt(incidents.createdAt, given.createdBefore) : undefined,
  );
}

const isAssigned = (yes: boolean): SQL => (yes ? isNotNull : isNull)(incidents.assignee);

export const incidentById = byId(incidents);

export async function incidentByNumber(db: Db, value: number): Promise<IncidentRow | null> {
  const [row] = await db.select().from(incidents).where(eq(incidents.number, value));
  return row ?? null;
}
