import type { AgentsRoom } from "../agents/agents-room.js";
import { scrapeQuery } from "../db/scrape-query.js";
import { OPEN } from "../incidents/incident.state.js";
import type { App } from "../kernel/app.js";
import { SEVERITIES, type Severity } from "../kernel/vocabulary.js";

const COUNT_OPEN = `
  SELECT severity, count(*)::int AS count FROM incidents
  WHERE status IN ${OPEN} GROUP BY severity`;

/** What the rooms hold, read when somebody scrapes. */
export function gaugeRooms(app: App, { ingest, sessions }: AgentsRoom): void {
  const { metrics } = app;
  metrics.onScrape(() => {
    metrics.ingest.waiting.set(ingest.waiting);
    metrics.ingest.sessions.set(sessions.size);
  });
  metrics.onScrape(
    scrapeQuery<{ severity: Severity; count: number }>(app, COUNT_OPEN, (rows) => {
      metrics.incidents.open.reset();
      if (!rows) return;
      const counts = new Map(rows.map(({ severity, count }) => [severity, count]));
      for (const severity of SEVERITIES) metrics.incidents.open.set({ severity }, counts.get(severity) ?? 0);
    }),
  );
}
