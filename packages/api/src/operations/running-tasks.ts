import { asc, isNull, sql } from "drizzle-orm";
import type { Express } from "express";
import { publicQuery } from "../db/public-query.js";
import type { App } from "../kernel/app.js";
import { remediationRuns as runs } from "../remediations/remediation.table.js";

const MOST = 500;

/** `GET /api/tasks/running`: the live remediation runs, oldest first. Without a token, so it names no target and no input. */
export function runningTasksRoute(web: Express, app: App): void {
  const { id, kind, status, startedAt, requestedAt } = runs;
  const ageSeconds = sql<number>`extract(epoch from now() - coalesce(${startedAt}, ${requestedAt}))::int`;
  const read = publicQuery(app, async () =>
    app.database.db
      .select({ id, kind, status, startedAt, ageSeconds })
      .from(runs)
      .where(isNull(runs.finishedAt))
      .orderBy(asc(requestedAt))
      .limit(MOST),
  );
  web.get("/api/tasks/running", async (_request, response) => void response.json(await read()));
}
