import type { QueryResultRow } from "pg";
import type { App } from "../kernel/app.js";
import { publicQuery } from "./public-query.js";

const FRESH_MS = 5_000;

/**
 * A question to the database that a scrape may ask: a public one, and at most every 5 s, so that whoever scrapes often
 * costs nothing.
 * @param use takes the rows, or null when there was no answer
 */
export function scrapeQuery<Row extends QueryResultRow>(
  app: Pick<App, "database" | "clock">,
  text: string,
  use: (rows: Row[] | null) => void,
): () => Promise<void> {
  const { database, clock } = app;
  const ask = publicQuery(app, async () => (await database.pool.query<Row>(text)).rows);
  let asked: Promise<void> | undefined;
  let askedAt = 0;
  return () => {
    if (!asked || clock.monotonic() - askedAt >= FRESH_MS) {
      askedAt = clock.monotonic();
      asked = ask().then(use, () => use(null));
    }
    return asked;
  };
}
