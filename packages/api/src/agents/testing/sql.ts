import type { App } from "../../kernel/app.js";

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it has asked for
export type Row = Record<string, any>;

/** The rows of a statement. */
export const sql = async ({ app }: { app: App }, text: string, values: unknown[] = []): Promise<Row[]> =>
  (await app.database.pool.query(text, values)).rows;
