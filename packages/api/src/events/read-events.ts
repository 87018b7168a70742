import { and, asc, gt, sql } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { readRows, rowReader } from "../db/rows.js";
import type { LoaderDefinition } from "../graphql/context.js";
import type { AppendedEvent } from "../kernel/appended.js";
import { decodeCursor, encodeCursor, type Position } from "./cursor.js";
import { type EventRow, eventHead, events } from "./event.table.js";
import { type EventFilter, type EventPage, publish } from "./event.type.js";
import { filterSql } from "./event-filter.js";

/** Where the log stands, in this transaction or statement. */
export async function headOf(db: Db): Promise<Position> {
  const [head] = await db.select({ epoch: eventHead.epoch, seq: eventHead.head }).from(eventHead);
  return head!;
}

/** Why a reader cannot go on from where it was, if so. */
export function gapReason(from: Position, head: Position): "EPOCH_CHANGED" | "AHEAD" | null {
  if (from.epoch !== head.epoch) return "EPOCH_CHANGED";
  return from.seq > head.seq ? "AHEAD" : null;
}

/** One page of the log as a query: the same events, filter and cursors as the subscription. */
export async function readEvents(
  db: Db,
  { filter, after, first }: { filter?: EventFilter | null; after?: string | null; first: number },
): Promise<EventPage> {
  const head = await headOf(db);
  const from = after ? decodeCursor(after) : { epoch: head.epoch, seq: 0 };
  const rows = await db
    .select()
    .from(events)
    .where(and(gt(events.seq, from.seq), filterSql(filter)))
    .orderBy(asc(events.seq))
    .limit(first + 1);
  return pageOf(rows, from, head, first);
}

/** @param rows what follows `from`, one more than the page holds if there are more */
function pageOf(rows: AppendedEvent[], from: Position, head: Position, first: number): EventPage {
  const reason = gapReason(from, head);
  if (reason) {
    const oldestCursor = encodeCursor({ epoch: head.epoch, seq: 0 });
    return { events: [], cursor: oldestCursor, caughtUp: false, gap: { reason, oldestCursor } };
  }
  const page = rows.slice(0, first);
  const caughtUp = rows.length <= first;
  const seq = caughtUp ? Math.max(head.seq, page.at(-1)?.seq ?? 0) : page.at(-1)!.seq;
  return {
    events: page.map((row) => publish(row, head.epoch)),
    cursor: encodeCursor({ epoch: head.epoch, seq }),
    caughtUp,
    gap: null,
  };
}

/** A page of what happened to an incident. */
export interface TimelinePage {
  incidentId: string;
  after: Position | null;
  first: number;
}

const EVENT = rowReader(events);

/** Many incidents' pages: one range of the index each, in one statement with the head that they are measured by. */
export const timelineOf: LoaderDefinition<TimelinePage, EventPage> = async (db, keys) => {
  const wanted = sql`unnest(${sql.param(keys.map(({ incidentId }) => incidentId))}::uuid[],
    ${sql.param(keys.map(({ after }) => after?.seq ?? 0))}::bigint[], ${sql.param(keys.map(({ first }) => first))}::int[])`;
  const statement = sql`SELECT ${EVENT.columns("entry")}, event_head.epoch, event_head.head, wanted.i
    FROM ${wanted} WITH ORDINALITY AS wanted(id, after, first, i) CROSS JOIN event_head
    LEFT JOIN LATERAL (SELECT * FROM events WHERE incident_id = wanted.id AND seq > wanted.after
      ORDER BY seq LIMIT wanted.first + 1) entry ON true
    ORDER BY entry.seq`;
  const rows = keys.map((): EventRow[] => []);
  let head: Position | undefined;
  await readRows(db, statement, (values) => {
    const [epoch, seq, i] = values.slice(EVENT.width) as [string, string, string];
    head = { epoch, seq: Number(seq) };
    const entry = EVENT.read(values);
    if (entry) rows[Number(i) - 1]!.push(entry);
  });
  return keys.map(({ after, first }, i) => pageOf(rows[i]!, after ?? { ...head!, seq: 0 }, head!, first));
};
