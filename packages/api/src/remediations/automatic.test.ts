import { afterAll, beforeAll, expect, test } from "vitest";
import { newItem, RepairShop } from "./testing/repair-shop.js";

let shop: RepairShop;
beforeAll(async () => {
  shop = await RepairShop.open();
});
afterAll(() => shop[Symbol.asyncDispose]());

const refusals = async (incidentId: string, rule: string) =>
  (await shop.events(incidentId)).filter(
    ({ type, payload }) => type === "remediation.refused" && payload.rule === rule,
  );

/** Lets the engine turn: whatever it wanted to do by now it has done twice. */
async function rounds(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const [before] = await shop.sql("SELECT clock_timestamp() AS at");
    await expect
      .poll(
        async () =>
          (await shop.sql("SELECT clock_timestamp() > $1::timestamptz + interval '1100 ms' AS over", [before!.at]))[0],
        {
          timeout: 5000,
        },
      )
      .toEqual({ over: true });
  }
}

test("a failing item with an AUTOMATIC policy is previewed, fixed and verified without a person", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  expect(await shop.automate(probeId)).toBeUndefined();
  const incidentId = await shop.fails(probeId, item);
  await shop.agent.previews(item);
  await shop.agent.remedies(item);
  const [run] = await shop.runsOf(incidentId);
  expect(run).toMatchObject({ automatic: true, decidedBy: "policy" });
  await shop.becomes(run!.id, "VERIFYING");
  await shop.agent.observes(probeId, "OK", item);
  await shop.becomes(run!.id, "SUCCEEDED");
  const approved = await shop.event(incidentId, "remediation.approved");
  expect(approved.actor).toBe("policy");
  expect(await shop.runsOf(incidentId)).toHaveLength(1);
});

test("a preview that refuses, or that there is none of, keeps automation away and asks for a person", async () => {
  const [refusing, blind] = [newItem(), newItem()];
  const probeId = await shop.probe();
  await shop.automate(probeId, { maxShare: 1 });
  const refused = await shop.fails(probeId, refusing);
  await shop.agent.previews(refusing, {
    possible: true,
    actions: [],
    refusals: ["policy: R2 is not allowed here"],
  });
  const [run] = await shop.runsOf(refused);
  expect((await shop.becomes(run!.id, "REFUSED")).summary).toContain("R2 is not allowed here");
  expect(await refusals(refused, "not-automatic")).toHaveLength(1);

  const unseen = await shop.fails(probeId, blind);
  await shop.agent.previews(blind, { possible: false, reason: "the engine does not answer" });
  const [second] = await shop.runsOf(unseen);
  expect((await shop.becomes(second!.id, "REFUSED")).summary).toContain("the engine does not answer");
  const touched = shop.agent.received("REMEDIATE").map(({ target }) => target);
  expect(touched.filter((target) => target === `docker/${refusing}` || target === `docker/${blind}`)).toEqual([]);
});

test("after a run automation cools down: refused once per incident, not once per sweep; then it tries again", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  await shop.automate(probeId, { cooldown: "1h" });
  const incidentId = await shop.fails(probeId, item);
  await shop.agent.previews(item);
  await shop.agent.remedies(item, { end: "FAILED", summary: "no such container" });
  const refused = await shop.event(incidentId, "remediation.refused");
  expect(refused).toMatchObject({ payload: { rule: "cooldown", automatic: true } });
  expect(refused.summary).toContain("automation waits 1h");
  await rounds();
  expect(await refusals(incidentId, "cooldown")).toHaveLength(1);
  expect(await shop.runsOf(incidentId)).toHaveLength(1);

  await shop.automate(probeId, { cooldown: "1s" });
  await expect.poll(async () => (await shop.runsOf(incidentId)).length, { timeout: 5000 }).toBe(2);
  await shop.agent.previews(item);
  await shop.agent.remedies(item, { end: "FAILED" });
});

test("a run that expired before it began costs no cooldown", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  await shop.automate(probeId, { cooldown: "1h" });
  const incidentId = await shop.fails(probeId, item);
  await shop.agent.previews(item);
  const { id } = await shop.agent.takes("REMEDIATE", item);
  await shop.sql("UPDATE agent_commands SET start_by = now() - interval '1 minute' WHERE id = $1", [id]);
  await shop.agent.previews(item);
  await shop.agent.remedies(item, { end: "FAILED" });
  await expect
    .poll(async () => (await shop.runsOf(incidentId)).map(({ status }) => status).sort(), { timeout: 10_000 })
    .toEqual(["EXPIRED", "FAILED"]);
});

test("attempts are counted per window, and a person may go on", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  await shop.automate(probeId, { cooldown: "1s", maxAttempts: 1 });
  const incidentId = await shop.fails(probeId, item);
  await shop.agent.previews(item);
  await shop.agent.remedies(item, { end: "FAILED" });
  await expect.poll(() => refusals(incidentId, "attempts"), { timeout: 5000 }).toHaveLength(1);
  const { run } = await shop.request({ incidentId });
  expect((await shop.approve(run!.id)).refused).toBeUndefined();
  await shop.agent.remedies(item, { end: "FAILED" });
});

test("a fix that fails again at once opens the breaker after the configured attempts, and the incident says why", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  await shop.automate(probeId, { cooldown: "1s", maxAttempts: 10, breakerAfter: 2 });
  let incidentId = await shop.fails(probeId, item);
  for (const _round of [1, 2]) {
    await shop.agent.previews(item);
    await shop.agent.remedies(item);
    const { id } = (await shop.runsOf(incidentId))[0]!;
    await shop.becomes(id, "VERIFYING");
    await shop.agent.observes(probeId, "OK", item);
    await shop.becomes(id, "SUCCEEDED");
    incidentId = await shop.fails(probeId, item);
    await shop.event(incidentId, "remediation.relapsed");
  }
  expect((await shop.event(incidentId, "remediation.breaker_opened")).summary).toContain(
    "tried 2 times, still failing",
  );
  await shop.event(incidentId, "incident.note_added");
  await expect.poll(() => refusals(incidentId, "breaker"), { timeout: 5000 }).toHaveLength(1);
  await rounds();
  expect(await shop.runsOf(incidentId)).toEqual([]);
  const { data } = await shop.server.ask(
    "{ remediationPolicies(first: 500) { nodes { probe { id } breakerOpenUntil } } }",
  );
  const policy = data.remediationPolicies.nodes.find((node: { probe: { id: string } }) => node.probe.id === probeId);
  expect(policy.breakerOpenUntil).not.toBeNull();

  // An hour later it may try once.
  await shop.sql("UPDATE target_locks SET breaker_open_until = now() WHERE target = $1", [`docker/${item}`]);
  await shop.agent.previews(item);
  await shop.agent.remedies(item, { end: "FAILED" });
});

test("of many that fail together only the allowed share is repaired at once", async () => {
  const probeId = await shop.probe();
  const items = [newItem(), newItem(), newItem()];
  const incidentIds = await Promise.all(items.map((item) => shop.fails(probeId, item)));
  const runs = async () => (await Promise.all(incidentIds.map((id) => shop.runsOf(id)))).flat();
  const live = async () => (await runs()).filter(({ finishedAt }) => !finishedAt);
  await shop.automate(probeId, { cooldown: "1h", maxShare: 0.4 });
  const repaired: string[] = [];
  for (const done of [0, 1, 2]) {
    await expect.poll(async () => (await runs()).length, { timeout: 5000 }).toBe(done + 1);
    const item = (await live())[0]!.target.slice("docker/".length);
    await shop.agent.previews(item);
    const command = await shop.agent.begins(item);
    await rounds();
    expect(await live()).toHaveLength(1);
    await shop.agent.reports(command, { end: "FAILED" });
    repaired.push(item);
  }
  expect(repaired.sort()).toEqual(items.sort());
  const told = (await Promise.all(incidentIds.map((id) => refusals(id, "blast-radius")))).flat();
  expect(told).toHaveLength(2);
  expect(told[0]!.summary).toContain("1 of the 3 targets");
});

test("what automation could never do is refused when the policy is set", async () => {
  const without = await shop.probe({ remediation: null });
  expect(await shop.automate(without)).toMatchObject({ message: expect.stringContaining("names no remediation") });
  const process = await shop.probe({
    kind: "process.alive",
    config: { name: "worker" },
    remediation: { kind: "process.restart", input: { name: "worker", command: ["/usr/bin/worker"] } },
  });
  expect(await shop.automate(process)).toMatchObject({
    code: "REFUSED_BY_POLICY",
    message: expect.stringContaining("neither idempotent nor can it be rolled back"),
  });
});

test("while processing is paused nothing begins and the incident says so; what waited begins when it is resumed", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  await shop.automate(probeId);
  await shop.server.ask('mutation { pauseProcessing(input: { reason: "release" }) { userErrors { message } } }');
  const incidentId = await shop.fails(probeId, item);
  expect((await shop.event(incidentId, "remediation.refused")).summary).toMatch(/^processing-paused: .*release/);
  expect(await shop.runsOf(incidentId)).toEqual([]);
  await shop.server.ask("mutation { resumeProcessing(input: {}) { userErrors { message } } }");
  await shop.agent.previews(item);
  await shop.agent.remedies(item, { end: "FAILED" });
});

test("what recovers before automation begins is left in peace, also while the incident it was merged into goes on", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  await shop.automate(probeId);
  const incidentId = await shop.fails(probeId, item);
  const preview = await shop.agent.takes("PREVIEW", item);
  const [run] = await shop.runsOf(incidentId);
  const { data } = await shop.server.ask(
    'mutation { raiseIncident(input: { title: "the site", severity: P2 }) { incident { id } } }',
  );
  await shop.server.ask(
    "mutation ($into: ID!, $from: [ID!]!) { mergeIncidents(input: { intoId: $into, fromIds: $from }) { userErrors { message } } }",
    { into: data.raiseIncident.incident.id, from: [incidentId] },
  );
  await shop.agent.observes(probeId, "OK", item);
  const result = { possible: true, actions: ["restart it"], refusals: [] };
  await shop.agent.reports(preview, { end: "SUCCEEDED", result });
  expect((await shop.becomes(run!.id, "CANCELLED")).summary).toContain("recovered before automation began");
});

test("a run whose policy was taken away waits for a person", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  await shop.automate(probeId);
  const incidentId = await shop.fails(probeId, item);
  const preview = await shop.agent.takes("PREVIEW", item);
  await shop.automate(probeId, { mode: "APPROVAL" });
  await shop.agent.reports(preview, { end: "SUCCEEDED", result: { possible: true, actions: [], refusals: [] } });
  await shop.event(incidentId, "remediation.previewed");
  await rounds();
  const [run] = await shop.runsOf(incidentId);
  expect(run).toMatchObject({ status: "AWAITING_APPROVAL" });
  expect((await shop.approve(run!.id)).refused).toBeUndefined();
  await shop.agent.remedies(item, { end: "FAILED" });
});
