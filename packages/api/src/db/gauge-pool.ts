import type { Metrics } from "../kernel/metrics.js";
import type { Database } from "./database.js";

/** What the pool holds when somebody scrapes; read first, or the scrape's own questions would be counted. */
export function gaugePool({ database, onScrape }: Metrics, { pool }: Database): void {
  onScrape(() => {
    database.connections.set(pool.totalCount);
    database.idle.set(pool.idleCount);
    database.waiting.set(pool.waitingCount);
  });
}
