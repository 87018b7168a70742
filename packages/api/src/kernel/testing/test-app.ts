import "reflect-metadata";
import { pino } from "pino";
import { openDatabase } from "../../db/database.js";
import { testDatabase } from "../../db/testing/test-database.js";
import type { App, Scope } from "../app.js";
import { appendedEvents } from "../appended.js";
import { systemClock } from "../clock.js";
import { localHints } from "../hints.js";
import { createMetrics } from "../metrics.js";
import type { Role } from "../permissions.js";

export interface TestApp extends App, AsyncDisposable {
  url: string;
  /** Acts as a person with that role. */
  as(role: Role, name?: string): Scope;
}

/** The ground floor on a database of its own: everything but the transports. */
export async function testApp(options: { poolSize?: number } = {}): Promise<TestApp> {
  const storage = await testDatabase();
  const database = openDatabase({ url: storage.url, ...options, onError: () => {} });
  const app: App = {
    database,
    hints: localHints(),
    appended: appendedEvents(),
    clock: systemClock,
    log: pino({ level: "silent" }),
    metrics: createMetrics("test"),
  };
  return {
    ...app,
    url: storage.url,
    as: (role, name = role.toLowerCase()) => ({ app, principal: { kind: "token", id: name, name, role } }),
    async [Symbol.asyncDispose]() {
      await database.close();
      await storage[Symbol.asyncDispose]();
    },
  };
}
