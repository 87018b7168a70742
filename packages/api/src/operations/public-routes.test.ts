import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express, { type NextFunction, type Request, type Response } from "express";
import { expect, test } from "vitest";
import { EventLog } from "../events/event-log.js";
import { healthRoutes } from "../http/health.js";
import type { AppError } from "../kernel/app-error.js";
import { manualClock } from "../kernel/testing/manual-clock.js";
import { testApp } from "../kernel/testing/test-app.js";
import { EngineCycles } from "./engine-cycles.js";
import { queueHealthRoute } from "./queue-health.js";
import { runningTasksRoute } from "./running-tasks.js";

const PATHS = ["/health", "/health/db", "/health/queue", "/api/tasks/running"];

test("a flood of requests without a token takes one connection per question, and is answered in 2 s when that hangs", async () => {
  const clock = manualClock();
  await using database = await testApp({ poolSize: 1 });
  const app = { ...database, clock };
  const { pool } = app.database;
  const web = express();
  healthRoutes(web, app, new EventLog(app), { ready: true, startedAt: 0, version: "test" });
  queueHealthRoute(web, app, new EngineCycles(clock, app.metrics));
  runningTasksRoute(web, app);
  web.use((error: AppError, _request: Request, response: Response, _next: NextFunction) =>
    response.status(error.code === "UNAVAILABLE" ? 503 : 500).end(),
  );
  let asked = 0;
  const server = express()
    .use((_request, _response, next) => {
      asked++;
      next();
    }, web)
    .listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const statuses = (times: number) =>
    Promise.all(
      PATHS.flatMap((path) => Array.from({ length: times }, async () => (await fetch(url + path)).status)),
    ).then((all) => [...new Set(all)]);

  const hanging = await pool.connect();
  const flood = statuses(25);
  await expect.poll(() => asked).toBe(100);
  expect(pool.waitingCount).toBe(3);
  await clock.advance(2000);
  expect(await flood).toEqual([503]);
  hanging.release();
  expect(await statuses(1)).toEqual([200]);
  server.close();
  server.closeAllConnections();
  await once(server, "close");
});
