import type { Express } from "express";
import { publicQuery } from "../db/public-query.js";
import type { EventLog } from "../events/event-log.js";
import type { App } from "../kernel/app.js";

/** `GET /health` and `/health/db`, as the playbook's "Critical Health Checks" call them. They reveal nothing but the state. */
export function healthRoutes(
  web: Express,
  app: App,
  log: EventLog,
  state: { ready: boolean; startedAt: number; version: string },
): void {
  const database = publicQuery(app, async () => {
    const started = app.clock.monotonic();
    await app.database.pool.query("SELECT 1");
    return { status: "healthy", responseTimeMs: Math.round((app.clock.monotonic() - started) * 10) / 10 };
  });
  const unreachable = () => ({ status: "unhealthy", reason: "the database does not answer" });

  web.get("/health", async (_request, response) => {
    const db = await database().catch(unreachable);
    const healthy = state.ready && db.status === "healthy";
    response.status(healthy ? 200 : 503).json({
      service: "poppo-ops",
      status: healthy ? "healthy" : "unhealthy",
      timestamp: new Date(app.clock.now()).toISOString(),
      uptime: Math.round((app.clock.now() - state.startedAt) / 1000),
      version: state.version,
      database: db.status,
      eventHead: log.head,
    });
  });
  web.get("/health/db", async (_request, response) => {
    const db = await database().catch(unreachable);
    response
      .status(db.status === "healthy" ? 200 : 503)
      .json({ ...db, lastCheck: new Date(app.clock.now()).toISOString() });
  });
}
