import { getTableColumns } from "drizzle-orm";
import { jsonb, type PgTable, timestamp, uuid } from "drizzle-orm/pg-core";

export const id = () => uuid("id").primaryKey().defaultRandom();
export const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" });
export const createdAt = () => moment("created_at").notNull().defaultNow();
export const updatedAt = () => moment("updated_at").notNull().defaultNow();
export const json = <T = unknown>(name: string) => jsonb(name).$type<T>();
export type Labels = Readonly<Record<string, string>>;

/** A row as a statement of our own gives it, under the names that drizzle gives. */
export const rowOf = <Table extends PgTable>(table: Table, row: Record<string, unknown>): Table["$inferSelect"] =>
  Object.fromEntries(Object.entries(getTableColumns(table)).map(([key, column]) => [key, row[column.name]]));
