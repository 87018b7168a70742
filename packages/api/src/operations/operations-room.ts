import type { Express } from "express";
import type { HttpOptions } from "../http/server.js";
import type { App } from "../kernel/app.js";
import { adminRoutes } from "./admin-routes.js";
import type { EngineCycles } from "./engine-cycles.js";
import { queueHealthRoute } from "./queue-health.js";
import { runningTasksRoute } from "./running-tasks.js";

/** The playbook's own HTTP surface, beyond `/health` and `/health/db`. */
export function operationsRoutes(
  web: Express,
  app: App,
  { cycles, authenticate }: { cycles: EngineCycles; authenticate: HttpOptions["authenticate"] },
): void {
  queueHealthRoute(web, app, cycles);
  runningTasksRoute(web, app);
  adminRoutes(web, app, authenticate);
}
