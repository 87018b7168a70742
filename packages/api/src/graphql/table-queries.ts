import { type Column, ilike, inArray, type SQL } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import type { Db } from "../db/database.js";
import { type Connection, countRows, type OrderBy, type Paging, paginate } from "./connection.js";
import { inOrder, type LoaderDefinition } from "./context.js";

/** One page of a table's rows. */
export const listOf = <Table extends PgTable>(
  db: Db,
  table: Table,
  options: { paging: Paging; orderBy: OrderBy[]; where?: SQL },
): Promise<Connection<Table["$inferSelect"]>> =>
  paginate<Table["$inferSelect"]>({
    where: undefined,
    ...options,
    select: async (where, orderBy, limit) =>
      db
        .select()
        .from(table as PgTable)
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    count: (where) => countRows(db, table, where),
  });

/** Loads rows of a table by their ids. */
export const byId =
  <Table extends PgTable & { id: PgColumn }>(table: Table): LoaderDefinition<string, Table["$inferSelect"]> =>
  async (db, ids) => {
    const rows = await db
      .select()
      .from(table as PgTable)
      .where(inArray(table.id, [...ids]));
    return inOrder(ids, rows, (row) => row.id as string);
  };

/** The column has the text somewhere in it, in any case; nothing in the text is a pattern. */
export const contains = (column: Column, text: string): SQL => ilike(column, `%${text.replace(/[\\%_]/g, "\\$&")}%`);
