import { type SQL, sql } from "drizzle-orm";
import type { GraphQLResolveInfo } from "graphql";
import type { Db } from "../db/database.js";
import { columnsOf, type RowReader, readRows, rowReader } from "../db/rows.js";
import { type EventRow, events } from "../events/event.table.js";
import { type PublishedEvent, publish } from "../events/event.type.js";
import { inOrder, type LoaderDefinition } from "../graphql/context.js";
import { selectedFields } from "../graphql/selection.js";
import type { ServiceRow } from "../services/service.resolver.js";
import { services } from "../services/service.table.js";
import { type IncidentRow, incidents } from "./incident.table.js";

/**
 * An incident of a page, read with what was asked for of its service and its newest timeline entry. One statement instead
 * of three halves what a dashboard's list costs; evidence of fifty times 64 KiB stays where it is when nobody asks for it.
 */
export type ListedIncident = IncidentRow & {
  service?: ServiceRow | null;
  lastEvent?: PublishedEvent | null;
};

/** Absent `incident`: every column. Absent companions: they are not read. */
export interface ListedFields {
  incident?: Set<string>;
  service?: Set<string> | null;
  lastEvent?: Set<string> | null;
}

/** What an operation asks for of the incidents in the connection at the end of `path`. */
export function listedFields(info: GraphQLResolveInfo, ...path: string[]): ListedFields {
  const of = (...below: string[]): Set<string> | null => {
    const found = [["nodes"], ["edges", "node"]].map((node) => selectedFields(info, ...path, ...node, ...below));
    return found.every((fields) => fields === null) ? null : new Set(found.flatMap((fields) => [...(fields ?? [])]));
  };
  return { incident: of() ?? new Set(), service: of("service"), lastEvent: of("lastEvent") };
}

/** For the cursors of every order. */
const ALWAYS = ["id", "number", "severity", "lastSeenAt"];
const NEEDS = { service: ["serviceId"], mergedInto: ["mergedIntoId"], timeline: [], lastEvent: [] };

/** The page first, and then what goes with it: the limit keeps the joins to its rows. */
export function readPage(
  db: Db,
  fields: ListedFields,
  where: SQL | undefined,
  orderBy: SQL[],
  limit: number,
): Promise<ListedIncident[]> {
  const wanted = fields.incident && columnsOf(incidents, [...ALWAYS, ...fields.incident], NEEDS);
  const incident = rowReader(incidents, wanted);
  const service = fields.service ? rowReader(services, columnsOf(services, fields.service, {})) : null;
  const lastEvent = fields.lastEvent ? eventReader(fields.lastEvent) : null;
  const order = sql`ORDER BY ${sql.join(orderBy, sql`, `)}`;
  const statement = sql`SELECT ${sql.join(
    [incident.columns(), ...(service ? [service.columns()] : []), ...(lastEvent ? [eventColumns(lastEvent)] : [])],
    sql`, `,
  )} FROM (SELECT * FROM incidents ${where ? sql`WHERE ${where}` : sql``} ${order} LIMIT ${limit}) incidents
    ${service ? sql`LEFT JOIN services ON services.id = incidents.service_id` : sql``}
    ${lastEvent ? sql`LEFT JOIN LATERAL ${newestEntry(sql`incidents.id`)} last_event ON true CROSS JOIN event_head` : sql``}
    ${order}`;
  return readRows(db, statement, (values) => {
    const row: ListedIncident = incident.read(values)!;
    if (service) row.service = service.read(values, incident.width);
    if (lastEvent) row.lastEvent = published(lastEvent, values, incident.width + (service?.width ?? 0));
    return row;
  });
}

type EventReader = RowReader<EventRow>;
const eventReader = (fields: Set<string>): EventReader =>
  rowReader(events, columnsOf(events, fields, { cursor: [], incident: ["incidentId"] }));

/** An entry, and the epoch that its cursor is made of. */
const eventColumns = (reader: EventReader): SQL => sql`${reader.columns("last_event")}, event_head.epoch`;

const newestEntry = (incidentId: SQL): SQL =>
  sql`(SELECT * FROM events WHERE events.incident_id = ${incidentId} ORDER BY events.seq DESC LIMIT 1)`;

function published(reader: EventReader, values: unknown[], offset: number): PublishedEvent | null {
  const row = reader.read(values, offset);
  return row && publish(row, values[offset + reader.width] as string);
}

const EVENT = rowReader(events);

/** The newest timeline entry of each incident: one index probe per incident, in one statement. */
export const lastEventOf: LoaderDefinition<string, PublishedEvent> = async (db, ids) => {
  const statement = sql`SELECT ${eventColumns(EVENT)} FROM unnest(${sql.param([...ids])}::uuid[]) AS wanted(id)
    CROSS JOIN LATERAL ${newestEntry(sql`wanted.id`)} last_event CROSS JOIN event_head`;
  const entries = await readRows(db, statement, (values) => published(EVENT, values, 0)!);
  return inOrder(ids, entries, (event) => event.incidentId!);
};
