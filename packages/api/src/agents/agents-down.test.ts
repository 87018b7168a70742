import { expect, test } from "vitest";
import { mergeIncidents, raiseIncident } from "../incidents/incident.service.js";
import { raiseMany } from "../incidents/raise.js";
import { type App, systemScope } from "../kernel/app.js";
import { systemClock } from "../kernel/clock.js";
import { act } from "../kernel/command.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { agentsDown } from "./agents-down.js";
import { deleteProbe } from "./probe.service.js";
import { revokeAgent } from "./revoke-agent.js";
import { givenAgents, givenProbe, givenState, hearOf } from "./testing/given.js";
import { sql } from "./testing/sql.js";
import { watchedFor } from "./testing/watched-for.js";
import { Watch } from "./watch.js";

const DOWN_MS = 60_000;
const GRACE_MS = 90_000;

/** The module on a replica that has been watching for so long. */
const replica = (app: App, watch = watchedFor(3_600_000)) =>
  agentsDown(app, watch, { downAfterMs: DOWN_MS, graceMs: GRACE_MS, everyMs: 1000 });

const open = (app: TestApp) =>
  sql({ app }, "SELECT title, severity, category, status FROM incidents WHERE status <> 'RESOLVED' ORDER BY title");
const statuses = async (app: TestApp) =>
  Object.fromEntries((await sql({ app }, "SELECT name, status FROM agents")).map((row) => [row.name, row.status]));
const events = async (app: TestApp) =>
  (await sql({ app }, "SELECT type FROM events ORDER BY seq")).map((row) => row.type);
const numbered = (count: number, prefix = "a") => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

test("an agent that is silent for too long is down, and its incident resolves when it is back", async () => {
  await using app = await testApp();
  const [silent] = await givenAgents(app, ["silent"], { silentMs: DOWN_MS + 1000 });
  await givenAgents(app, ["quiet"], { silentMs: DOWN_MS - 10_000, status: "OFFLINE" });
  const module = replica(app);
  await module.step();
  expect(await statuses(app)).toEqual({ silent: "DOWN", quiet: "OFFLINE" });
  expect(await open(app)).toEqual([
    { title: "Agent silent is down", severity: "P2", category: "MONITORING", status: "TRIGGERED" },
  ]);
  await hearOf(app, [silent!]);
  await module.step();
  expect(await statuses(app)).toEqual({ silent: "ONLINE", quiet: "OFFLINE" });
  expect(await open(app)).toEqual([]);
  expect(await events(app)).toEqual(["incident.raised", "agent.down", "agent.up", "incident.resolved"]);
});

test("of two replicas that look at once only one says it", async () => {
  await using app = await testApp();
  await givenAgents(app, ["silent"], { silentMs: DOWN_MS * 2 });
  await Promise.all([replica(app), replica(app), replica(app)].map((module) => module.step()));
  expect(await events(app)).toEqual(["incident.raised", "agent.down"]);
});

test("nobody is down before the replica has watched for the full grace, nor while it cannot", async () => {
  await using app = await testApp();
  await givenAgents(app, ["silent"], { silentMs: DOWN_MS * 2 });
  await replica(app, watchedFor(GRACE_MS - 1)).step();
  expect(await statuses(app)).toEqual({ silent: "ONLINE" });
  await agentsDown(app, new Watch(systemClock), { downAfterMs: 1, graceMs: 1, everyMs: 1 }).step();
  expect(await statuses(app)).toEqual({ silent: "ONLINE" });
});

test("a replica that was frozen for a minute calls nobody down when it wakes up, until the grace has passed again", async () => {
  await using app = await testApp();
  await givenAgents(app, numbered(10), { silentMs: DOWN_MS + 5000 });
  const watch = watchedFor(3_600_000, DOWN_MS);
  await replica(app, watch).step();
  watch.wrote();
  await replica(app, watch).step();
  expect(await events(app)).toEqual([]);
  await replica(app).step();
  expect(await events(app)).toContain("agent.down");
});

test("watching begins anew after it was lost", () => {
  let now = 0;
  const watch = new Watch({ ...systemClock, monotonic: () => now });
  expect(watch.watchedMs).toBe(0);
  watch.wrote();
  now = 500;
  watch.wrote();
  expect(watch.watchedMs).toBe(500);
  watch.lost();
  now = 600;
  watch.wrote();
  now = 700;
  expect(watch.watchedMs).toBe(100);
});

test("many agents lost at once are one incident, which names them", async () => {
  await using app = await testApp();
  await givenAgents(app, numbered(15, "up"));
  await givenAgents(app, numbered(5, "lost"), { silentMs: DOWN_MS * 2 });
  await replica(app).step();
  expect(await open(app)).toMatchObject([{ title: "5 of 20 agents are down", severity: "P1" }]);
  const [{ evidence }] = (await sql({ app }, "SELECT evidence FROM incidents")) as [{ evidence: object }];
  expect(evidence).toEqual({ count: 5, enrolled: 20, agents: numbered(5, "lost") });
  expect((await events(app)).filter((type) => type === "agent.down")).toHaveLength(5);
});

test.each([
  ["four", 4, 4],
  ["a small share", 5, 26],
])("%s are lost one by one", async (_, lost, enrolled) => {
  await using app = await testApp();
  await givenAgents(app, numbered(enrolled - lost, "up"));
  await givenAgents(app, numbered(lost, "lost"), { silentMs: DOWN_MS * 2 });
  await replica(app).step();
  expect(await open(app)).toHaveLength(lost);
});

test("a loss that grows becomes one incident, and one that shrinks leaves an incident for each that is left", async () => {
  await using app = await testApp();
  const ids = await givenAgents(app, numbered(10));
  const module = replica(app);
  await hearOf(app, ids.slice(0, 3), DOWN_MS * 2);
  await module.step();
  expect(await open(app)).toHaveLength(3);
  await hearOf(app, ids.slice(3, 7), DOWN_MS * 2);
  await module.step();
  expect(await open(app)).toMatchObject([{ title: "7 of 10 agents are down" }]);
  await hearOf(app, ids.slice(7, 8), DOWN_MS * 2);
  await module.step();
  expect(await open(app)).toMatchObject([{ title: "7 of 10 agents are down" }]);
  await hearOf(app, ids.slice(0, 6));
  await module.step();
  expect((await open(app)).map((row) => row.title)).toEqual(["Agent a6 is down", "Agent a7 is down"]);
  await hearOf(app, ids);
  await module.step();
  expect(await open(app)).toEqual([]);
});

test("a later loss of another kind is not hidden by the incident of an earlier one", async () => {
  await using app = await testApp();
  const ids = await givenAgents(app, numbered(20));
  const module = replica(app);
  await hearOf(app, ids.slice(0, 5), 3_600_000);
  await module.step();
  await hearOf(app, ids.slice(5, 6), DOWN_MS * 2);
  await module.step();
  expect((await open(app)).map((row) => row.title)).toEqual(["5 of 20 agents are down", "Agent a5 is down"]);
});

test("what was merged into the incident of a common loss does not end it, nor is it split for that again and again", async () => {
  await using app = await testApp();
  const ids = await givenAgents(app, numbered(10), { silentMs: DOWN_MS * 2 });
  const module = replica(app);
  await module.step();
  const [{ id: massId }] = (await sql({ app }, "SELECT id FROM incidents")) as [{ id: string }];
  const probeId = await givenProbe(app, { agentSelector: { name: "a0" } });
  const [raised] = await act(systemScope(app), (tools) =>
    raiseMany(tools, [{ title: "http", severity: "P2", source: "probe" }]),
  );
  await givenState(app, { agentId: ids[0]!, probeId, status: "CRIT", incidentId: raised!.incident.id });
  await mergeIncidents(app.as("RESPONDER"), { intoId: massId, fromIds: [raised!.incident.id] });
  await hearOf(app, ids.slice(0, 9));
  await module.step();
  await module.step();
  expect((await open(app)).map((row) => row.title)).toEqual(["10 of 10 agents are down", "Agent a9 is down", "http"]);
  expect(await sql({ app }, "SELECT duplicate_count FROM incidents WHERE title = 'Agent a9 is down'")).toEqual([
    { duplicate_count: 0 },
  ]);
  await deleteProbe(app.as("ADMIN"), { id: probeId });
  expect((await open(app)).map((row) => row.title)).toEqual(["Agent a9 is down", "http"]);
});

test("a common loss that a person merged into another incident still leaves one for each that stays down", async () => {
  await using app = await testApp();
  const ids = await givenAgents(app, numbered(10), { silentMs: DOWN_MS * 2 });
  const module = replica(app);
  await module.step();
  const { incident } = await raiseIncident(app.as("RESPONDER"), { title: "the network", severity: "P1" });
  const [{ id: massId }] = (await sql({ app }, "SELECT id FROM incidents ORDER BY number LIMIT 1")) as [{ id: string }];
  await mergeIncidents(app.as("RESPONDER"), { intoId: incident.id, fromIds: [massId] });
  await hearOf(app, ids.slice(0, 8));
  await module.step();
  const titles = (await open(app)).map((row) => row.title);
  expect(titles).toEqual(["10 of 10 agents are down", "Agent a8 is down", "Agent a9 is down", "the network"]);
});

test("revoking agents resolves what their silence raised", async () => {
  await using app = await testApp();
  const ids = await givenAgents(app, numbered(6), { silentMs: DOWN_MS * 2 });
  const module = replica(app);
  await module.step();
  for (const id of ids.slice(1)) await revokeAgent(app.as("ADMIN"), { id });
  await module.step();
  expect(await open(app)).toMatchObject([{ title: "Agent a0 is down" }]);
  await revokeAgent(app.as("ADMIN"), { id: ids[0]! });
  expect(await open(app)).toEqual([]);
});
