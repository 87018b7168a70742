import type { Express, RequestHandler } from "express";
import type { App } from "../kernel/app.js";
import { adminRoutes } from "./admin-routes.js";
import type { EngineCycles } from "./engine-cycles.js";
import { queueHealthRoute } from "./queue-health.js";
import { runningTasksRoute } from "./running-tasks.js";

/** The playbook's own HTTP surface, beyond `/health` and `/health/db`. */
export function operationsRoutes(
  web: Express,
  app: App,
  { cycles, identified }: { cycles: EngineCycles; identified: RequestHandler },
): void {
  queueHealthRoute(web, app, cycles);
  runningTasksRoute(web, app);
  adminRoutes(web, app, identified);
}
