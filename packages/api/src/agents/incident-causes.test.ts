import { expect, test } from "vitest";
import { mergeIncidents, raiseIncident, resolveIncident } from "../incidents/incident.service.js";
import { raiseMany } from "../incidents/raise.js";
import { systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { resolveOver } from "../signals/over-incidents.js";
import { agentsDown } from "./agents-down.js";
import { missingResultsModule } from "./missing-results.js";
import { deleteProbe, updateProbe } from "./probe.service.js";
import { revokeAgent } from "./revoke-agent.js";
import { stillFailing } from "./still-failing.js";
import { givenAgents, givenProbe, givenState, hearOf } from "./testing/given.js";
import { sql } from "./testing/sql.js";
import { watchedFor } from "./testing/watched-for.js";

const open = async (app: TestApp) =>
  (await sql({ app }, "SELECT title FROM incidents WHERE status IN ('TRIGGERED', 'ACKNOWLEDGED', 'SNOOZED')")).map(
    (row) => row.title,
  );

/** An agent with two probes that fail, each with its incident. */
async function twoProblems(app: TestApp) {
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  const problem = async (name: string) => {
    const probeId = await givenProbe(app, { name });
    const [raised] = await act(systemScope(app), (tools) =>
      raiseMany(tools, [{ title: name, severity: "P2", source: "probe", dedupKey: `probe:${probeId}:${agentId}:` }]),
    );
    const incidentId = raised!.incident.id;
    await givenState(app, { agentId, probeId, status: "CRIT", incidentId });
    return { agentId, probeId, incidentId };
  };
  return [await problem("one"), await problem("two")] as const;
}

const merge = (app: TestApp, from: string, into: string) =>
  mergeIncidents(app.as("RESPONDER"), { intoId: into, fromIds: [from] });

test("what was merged and resolved by a person while one of its causes still fails comes back", async () => {
  await using app = await testApp();
  const [one, two] = await twoProblems(app);
  await merge(app, one.incidentId, two.incidentId);
  await resolveIncident(app.as("RESPONDER"), { id: two.incidentId });
  await sql({ app }, "UPDATE incidents SET resolved_at = now() - interval '1 hour' WHERE id = $1", [two.incidentId]);
  await sql({ app }, "DELETE FROM probe_state WHERE probe_id = $1", [two.probeId]);
  await stillFailing(app, 1000).step();
  expect(await open(app)).toEqual(["one on host-a: seen"]);
});

test.each<[string, (app: TestApp, probeId: string) => Promise<unknown>]>([
  ["deleted", (app, id) => deleteProbe(app.as("ADMIN"), { id })],
  ["switched off", (app, id) => updateProbe(app.as("ADMIN"), { id, enabled: false })],
  ["taken from the agent", (app, id) => updateProbe(app.as("ADMIN"), { id, agentSelector: { name: "host-b" } })],
])("when one probe behind a merged incident is %s, the other still stands behind it", async (_, stopLooking) => {
  await using app = await testApp();
  const [one, two] = await twoProblems(app);
  await merge(app, one.incidentId, two.incidentId);
  await stopLooking(app, two.probeId);
  expect(await open(app)).toEqual(["two"]);
  await stopLooking(app, one.probeId);
  expect(await open(app)).toEqual([]);
});

test("revoking the agent ends what it saw and what was merged from it", async () => {
  await using app = await testApp();
  const [one, two] = await twoProblems(app);
  await merge(app, one.incidentId, two.incidentId);
  await revokeAgent(app.as("ADMIN"), { id: one.agentId });
  expect(await open(app)).toEqual([]);
});

test("an incident that a person raised is left to that person, whatever was merged into it", async () => {
  await using app = await testApp();
  const [one] = await twoProblems(app);
  const { incident } = await raiseIncident(app.as("RESPONDER"), { title: "all is slow", severity: "P1" });
  await merge(app, one.incidentId, incident.id);
  await sql({ app }, "UPDATE probe_state SET incident_id = $2 WHERE probe_id = $1", [one.probeId, incident.id]);
  await deleteProbe(app.as("ADMIN"), { id: one.probeId });
  expect(await open(app)).toEqual(["two", "all is slow"]);
});

test("missing results that were merged are over when the last of them has come", async () => {
  await using app = await testApp();
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  const probes = [await givenProbe(app, { name: "one" }), await givenProbe(app, { name: "two" })] as const;
  const module = missingResultsModule(app, watchedFor(3_600_000), 1000);
  await module.step();
  const [from, into] = await sql({ app }, "SELECT id FROM incidents ORDER BY title");
  await merge(app, from!.id, into!.id);
  await givenState(app, { agentId, probeId: probes[1] });
  await module.step();
  expect(await open(app)).toEqual(["two on host-a never reported"]);
  await givenState(app, { agentId, probeId: probes[0] });
  await module.step();
  expect(await open(app)).toEqual([]);
});

test("two agents that are down in one merged incident: it is over when both are back", async () => {
  await using app = await testApp();
  const agents = await givenAgents(app, ["host-a", "host-b"], { silentMs: 120_000 });
  const module = agentsDown(app, watchedFor(3_600_000), { downAfterMs: 60_000, graceMs: 1, everyMs: 1000 });
  await module.step();
  const [from, into] = await sql({ app }, "SELECT id FROM incidents ORDER BY title");
  await merge(app, from!.id, into!.id);
  await hearOf(app, [agents[1]!]);
  await module.step();
  expect(await open(app)).toEqual(["Agent host-b is down"]);
  await hearOf(app, [agents[0]!]);
  await module.step();
  expect(await open(app)).toEqual([]);
});

test("the last two causes of one incident end at once on two replicas: it is over", async () => {
  await using app = await testApp();
  const [one, two] = await twoProblems(app);
  await merge(app, one.incidentId, two.incidentId);
  let released = 0;
  let both!: () => void;
  const haveBoth = new Promise<void>((resolve) => {
    both = resolve;
  });
  const recoverAtOnce = ({ probeId, incidentId }: typeof one) =>
    act(systemScope(app), async (tools) => {
      await tools.client.query("UPDATE probe_state SET incident_id = NULL WHERE probe_id = $1", [probeId]);
      if (++released === 2) both();
      await haveBoth;
      await resolveOver(tools, [incidentId], "It has recovered");
    });
  await Promise.all([recoverAtOnce(one), recoverAtOnce(two)]);
  expect(await open(app)).toEqual([]);
});
