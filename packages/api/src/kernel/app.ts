import type { Logger } from "pino";
import type { Database } from "../db/database.js";
import type { Appended } from "./appended.js";
import type { Clock } from "./clock.js";
import type { Hints } from "./hints.js";
import type { Metrics } from "./metrics.js";
import { type Principal, SYSTEM } from "./permissions.js";

/** What every act of this server stands on. */
export interface App {
  database: Database;
  hints: Hints;
  appended: Appended;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

/** Who acts, on what. */
export interface Scope {
  app: App;
  principal: Principal;
}

/** The server itself acts: sweeps, engines, policies. */
export const systemScope = (app: App, name = "system"): Scope => ({ app, principal: { ...SYSTEM, name } });
