import type { Express } from "express";
import type { App } from "../kernel/app.js";
import { AlertReceiver } from "./alertmanager.receiver.js";
import { alertmanagerRoute } from "./alertmanager.route.js";

/** What this replica holds for what sends signals. */
export interface SignalsRoom {
  routes(web: Express): void;
  stop(): Promise<void>;
}

export function openSignals(app: App): SignalsRoom {
  const receiver = new AlertReceiver(app);
  return {
    routes: (web) => alertmanagerRoute(web, app, receiver),
    stop: () => receiver.stop(),
  };
}
