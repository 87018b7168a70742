import { expect, test } from "vitest";
import { raiseMany } from "../incidents/raise.js";
import { systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { stillFailing } from "./still-failing.js";
import { givenAgents, givenProbe, givenState } from "./testing/given.js";
import { sql } from "./testing/sql.js";

/** A problem whose incident a person resolved so long ago; the last outcome is of now. */
async function resolvedProblem(app: TestApp, resolvedAgoMs: number, status = "CRIT"): Promise<string> {
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  const probeId = await givenProbe(app);
  const dedupKey = `probe:${probeId}:${agentId}:`;
  const [raised] = await act(systemScope(app), (tools) =>
    raiseMany(tools, [{ title: "load on host-a", severity: "P2", source: "probe", dedupKey }]),
  );
  const incidentId = raised!.incident.id;
  await givenState(app, { agentId, probeId, status, incidentId });
  await sql({ app }, "UPDATE incidents SET status = 'RESOLVED', resolved_at = now() - make_interval(secs => $1)", [
    resolvedAgoMs / 1000,
  ]);
  return incidentId;
}

const incidents = (app: TestApp) => sql({ app }, "SELECT id, status, duplicate_count FROM incidents ORDER BY number");

test("a problem that goes on after its incident was resolved comes back as a new one, once", async () => {
  await using app = await testApp();
  const first = await resolvedProblem(app, 61_000);
  const module = stillFailing(app, 1000);
  await module.step();
  await module.step();
  const [, again, ...others] = await incidents(app);
  expect(others).toEqual([]);
  expect(again).toMatchObject({ status: "TRIGGERED", duplicate_count: 0 });
  expect(again!.id).not.toBe(first);
  expect(await sql({ app }, "SELECT incident_id FROM probe_state")).toEqual([{ incident_id: again!.id }]);
});

test.each([
  ["a moment ago", 30_000, "CRIT"],
  ["and the thing is well since", 600_000, "OK"],
  ["and nobody can tell", 600_000, "UNKNOWN"],
])("an incident that was resolved %s stays resolved", async (_, agoMs, status) => {
  await using app = await testApp();
  await resolvedProblem(app, agoMs, status);
  await stillFailing(app, 1000).step();
  expect(await incidents(app)).toMatchObject([{ status: "RESOLVED" }]);
});
