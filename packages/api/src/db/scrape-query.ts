import type { QueryResultRow } from "pg";
import type { App } from "../kernel/app.js";

const FRESH_MS = 5_000;
const ANSWER_MS = 2_000;

/**
 * A question to the database that a scrape may ask: at most every 5 s, never two at once, and given up after 2 s, so that
 * whoever scrapes often costs nothing and a database that hangs does not hang the scrape.
 * @param use takes the rows, or null when there was no answer
 */
export function scrapeQuery<Row extends QueryResultRow>(
  { database, clock }: Pick<App, "database" | "clock">,
  text: string,
  use: (rows: Row[] | null) => void,
): () => Promise<void> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> | null = null;
  const ask = async () => {
    try {
      use((await database.pool.query<Row>(text)).rows);
    } catch {
      use(null);
    } finally {
      underWay = null;
    }
  };
  return async () => {
    if (!underWay && clock.monotonic() - askedAt < FRESH_MS) return;
    const answered = new AbortController();
    if (!underWay) askedAt = clock.monotonic();
    underWay ??= ask();
    const tooLate = clock.sleep(ANSWER_MS, answered.signal).then(() => answered.signal.aborted || use(null));
    await Promise.race([underWay.finally(() => answered.abort()), tooLate]);
  };
}
