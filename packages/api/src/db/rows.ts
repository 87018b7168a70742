import { Column, getTableColumns, getTableName, type InferSelectModel, type SQL, sql, type Table } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import pg from "pg";
import type { Db } from "./database.js";

/** How to read rows of a table out of the values of a statement. */
export interface RowReader<Row> {
  /** Its columns, for the statement's select list. `from` is the table's alias there. */
  columns(from?: string): SQL;
  width: number;
  /** The row whose first value stands at `offset`; null when a left join found none. */
  read(values: unknown[], offset?: number): Row | null;
}

/**
 * The table's first column must be its key: that one alone says whether there is a row. With `keys` only these columns are
 * read, besides it: whoever says so touches no others, though the type has them.
 */
export function rowReader<T extends Table>(table: T, keys?: ReadonlySet<string>): RowReader<InferSelectModel<T>> {
  const columns = Object.entries(getTableColumns(table))
    .filter(([key], i) => i === 0 || !keys || keys.has(key))
    .map(([key, column]) => ({ key, name: column.name, decode: decoderOf(column) }));
  return {
    width: columns.length,
    columns: (from = getTableName(table)) => sql.raw(columns.map(({ name }) => `"${from}"."${name}"`).join(", ")),
    read(values, offset = 0) {
      if (values[offset] === null) return null;
      const row: Record<string, unknown> = {};
      for (let i = 0; i < columns.length; i++) {
        const { key, decode } = columns[i]!;
        const value = values[offset + i];
        row[key] = decode && value !== null ? decode(value) : value;
      }
      return row as InferSelectModel<T>;
    },
  };
}

/** Null for the most of them, which come as they are. */
const decoderOf = (column: Column) =>
  column.mapFromDriverValue === Column.prototype.mapFromDriverValue
    ? null
    : (value: unknown) => column.mapFromDriverValue(value);

/**
 * The columns that some fields of a table's type are made of; undefined, which means all, when one of them is not known to
 * be made of any. `needs` says it for fields that are no columns.
 */
export function columnsOf(
  table: Table,
  fields: Iterable<string>,
  needs: Record<string, readonly string[]>,
): Set<string> | undefined {
  const columns = getTableColumns(table);
  const keys = new Set<string>();
  for (const field of fields) {
    const needed = field in columns ? [field] : field === "__typename" ? [] : needs[field];
    if (!needed) return undefined;
    for (const key of needed) keys.add(key);
  }
  return keys;
}

const dialect = new PgDialect();
const TIMESTAMPTZ = 1184;
/** As drizzle wants them: its columns decode moments themselves. */
const types = {
  getTypeParser: (oid: number, format: "text" | "binary") =>
    oid === TIMESTAMPTZ ? (value: string) => value : pg.types.getTypeParser(oid, format as "text"),
};

/**
 * Runs a statement of our own for the long lists of a hot path: building one with drizzle's builder and mapping each cell
 * with its mapper took more time than everything else that the server does for a page of 50.
 */
export async function readRows<Row>(
  db: Db,
  statement: SQL,
  read: (values: unknown[]) => Row,
  name?: string,
): Promise<Row[]> {
  const { sql: text, params } = dialect.sqlToQuery(statement);
  const client = (db as unknown as { $client: pg.Pool | pg.PoolClient }).$client;
  const { rows } = await client.query<unknown[]>({ name, text, values: params, rowMode: "array", types } as never);
  return rows.map(read);
}
