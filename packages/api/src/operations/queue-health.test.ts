import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { afterAll, beforeAll, expect, test } from "vitest";
import { givenIncident } from "../incidents/testing/given-incident.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { EngineCycles } from "./engine-cycles.js";
import { queueHealthRoute } from "./queue-health.js";

const clock = { now: 0, monotonic: () => clock.now };
let app: TestApp;
let url: string;
let stop: () => Promise<void>;

/** The route without an engine: what is due stays due. */
beforeAll(async () => {
  app = await testApp();
  const cycles = new EngineCycles(clock, app.metrics);
  cycles.observe({ name: "follow runs", batch: 1, everyMs: 1000, step: async () => 0 });
  const web = express();
  queueHealthRoute(web, app, cycles);
  const server = web.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health/queue`;
  stop = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
});
afterAll(async () => {
  await stop();
  await app[Symbol.asyncDispose]();
});

const health = async () => {
  const response = await fetch(url);
  return { code: response.status, body: (await response.json()) as Record<string, unknown> };
};

test("with nothing to do and an engine that turns it is healthy", async () => {
  expect(await health()).toMatchObject({ code: 200, body: { status: "healthy", pending: 0, running: 0, lagMs: 0 } });
});

test("a module that has not finished a round for long is named", async () => {
  clock.now = 60_000;
  expect(await health()).toMatchObject({
    code: 503,
    body: { status: "unhealthy", reason: '"follow runs" has not finished a round for 60 s', modulesBehind: 1 },
  });
  clock.now = 0;
});

test("work that is due and left lying makes it unhealthy", async () => {
  const { id } = await givenIncident(app, "SNOOZED");
  await app.database.pool.query("UPDATE incidents SET snoozed_until = now() - interval '65 seconds' WHERE id = $1", [
    id,
  ]);
  const { code, body } = await health();
  expect(code).toBe(503);
  expect(body.lagMs).toBeGreaterThanOrEqual(65_000);
  expect(body.reason).toMatch(/^work is due for 6\d s$/);
});
