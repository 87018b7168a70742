import { and, asc, gt, type SQL } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { decodeCursor, encodeCursor, type Position } from "./cursor.js";
import { eventHead, events } from "./event.table.js";
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
  options: { filter?: EventFilter | null; after?: string | null; first: number; where?: SQL },
): Promise<EventPage> {
  const head = await headOf(db);
  const from = options.after ? decodeCursor(options.after) : { epoch: head.epoch, seq: 0 };
  const reason = gapReason(from, head);
  if (reason) {
    const oldestCursor = encodeCursor({ epoch: head.epoch, seq: 0 });
    return { events: [], cursor: oldestCursor, caughtUp: false, gap: { reason, oldestCursor } };
  }
  const rows = await db
    .select()
    .from(events)
    .where(and(gt(events.seq, from.seq), filterSql(options.filter), options.where))
    .orderBy(asc(events.seq))
    .limit(options.first + 1);
  const page = rows.slice(0, options.first);
  const caughtUp = rows.length <= options.first;
  const seq = caughtUp ? Math.max(head.seq, page.at(-1)?.seq ?? 0) : page.at(-1)!.seq;
  return {
    events: page.map((row) => publish(row, head.epoch)),
    cursor: encodeCursor({ epoch: head.epoch, seq }),
    caughtUp,
    gap: null,
  };
}
