import { expect, test } from "vitest";
import type { App } from "../kernel/app.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { missingResultsModule } from "./missing-results.js";
import { reportingDeadlineMs } from "./probe-catalogue.js";
import { givenAgents, givenProbe, givenState } from "./testing/given.js";
import { sql } from "./testing/sql.js";
import { watchedFor } from "./testing/watched-for.js";

/** Of a probe that runs every 10 s with a timeout of 1 s. */
const DEADLINE_MS = 30_000;

const replica = (app: App, watchedMs = 3_600_000) => missingResultsModule(app, watchedFor(watchedMs), 1000);

const open = async (app: TestApp) =>
  (await sql({ app }, "SELECT title FROM incidents WHERE status <> 'RESOLVED' ORDER BY title")).map((row) => row.title);
const reporting = async (app: TestApp) =>
  (await sql({ app }, "SELECT reporting FROM probe_state ORDER BY item")).map((row) => row.reporting);

test("the deadline is three intervals, but never too short for one slow run", () => {
  const deadline = (intervalMs: number, timeoutMs: number) => reportingDeadlineMs({ intervalMs, timeoutMs } as never);
  expect([deadline(10_000, 1000), deadline(1000, 500), deadline(10_000, 60_000)]).toEqual([30_000, 11_500, 80_000]);
});

test("a probe that stops reporting from an agent that is online is an incident, until it reports again", async () => {
  await using app = await testApp();
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  const probeId = await givenProbe(app);
  await givenState(app, { agentId, probeId, ageMs: DEADLINE_MS - 5000 });
  const module = replica(app);
  await module.step();
  expect(await open(app)).toEqual([]);
  await givenState(app, { agentId, probeId, ageMs: DEADLINE_MS + 1000 });
  await module.step();
  await module.step();
  expect(await open(app)).toEqual(["load on host-a stopped reporting"]);
  expect(await reporting(app)).toEqual([false]);
  expect(await sql({ app }, "SELECT severity, category, duplicate_count FROM incidents")).toEqual([
    { severity: "P2", category: "MONITORING", duplicate_count: 0 },
  ]);
  await givenState(app, { agentId, probeId });
  await module.step();
  expect(await open(app)).toEqual([]);
  expect(await reporting(app)).toEqual([true]);
});

test("a probe that was assigned and never reported is missing too", async () => {
  await using app = await testApp();
  await givenAgents(app, ["host-a", "host-b"]);
  await givenProbe(app, { agentSelector: { name: "host-b" } });
  await replica(app).step();
  expect(await open(app)).toEqual(["load on host-b never reported"]);
});

test("one item that is still reported is enough", async () => {
  await using app = await testApp();
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  const probeId = await givenProbe(app);
  await givenState(app, { agentId, probeId, item: "old", ageMs: DEADLINE_MS * 5 });
  await givenState(app, { agentId, probeId, item: "new" });
  await replica(app).step();
  expect(await open(app)).toEqual([]);
});

test.each([
  ["its agent is not online", "UPDATE agents SET status = 'DOWN'"],
  ["its agent has just come back", "UPDATE agents SET connected_at = now()"],
  ["it was changed just now", "UPDATE probes SET updated_at = now()"],
  ["it is switched off", "UPDATE probes SET enabled = false"],
  ["its rules do not ask for it", `UPDATE probes SET rules = jsonb_set(rules, '{missing}', 'false')`],
])("nothing is missing while %s", async (_, change) => {
  await using app = await testApp();
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  await givenState(app, { agentId, probeId: await givenProbe(app), ageMs: DEADLINE_MS * 2 });
  await sql({ app }, change);
  await replica(app).step();
  expect(await open(app)).toEqual([]);
});

test("nothing is missing before the replica has watched for as long itself", async () => {
  await using app = await testApp();
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  await givenState(app, { agentId, probeId: await givenProbe(app), ageMs: DEADLINE_MS * 2 });
  await replica(app, DEADLINE_MS - 1).step();
  expect(await open(app)).toEqual([]);
});

test("what nobody expects any more is no longer missing", async () => {
  await using app = await testApp();
  await givenAgents(app, ["host-a", "host-b"]);
  await givenProbe(app);
  const module = replica(app);
  await module.step();
  expect(await open(app)).toHaveLength(2);
  await sql({ app }, `UPDATE probes SET agent_selector = '{"name": "host-a"}'`);
  await module.step();
  expect(await open(app)).toEqual(["load on host-a never reported"]);
});

test("replicas that look at once raise it once", async () => {
  await using app = await testApp();
  await givenAgents(app, ["host-a"]);
  await givenProbe(app);
  await Promise.all([replica(app), replica(app)].map((module) => module.step()));
  await replica(app).step();
  expect(await sql({ app }, "SELECT duplicate_count FROM incidents")).toEqual([{ duplicate_count: 0 }]);
});
