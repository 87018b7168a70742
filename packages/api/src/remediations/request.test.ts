import { afterAll, beforeAll, expect, test } from "vitest";
import { newItem, RepairShop } from "./testing/repair-shop.js";
import { ScriptedAgent } from "./testing/scripted-agent.js";

let shop: RepairShop;
beforeAll(async () => {
  shop = await RepairShop.open();
});
afterAll(() => shop[Symbol.asyncDispose]());

test("a second request for a target is refused and names the live run", async () => {
  const incidentId = await shop.fails(await shop.probe(), newItem());
  const { run } = await shop.request({ incidentId });
  const { refused } = await shop.request({ incidentId });
  expect(refused).toEqual({
    code: "CONFLICT",
    message: expect.stringContaining(`run ${run!.id} is AWAITING_APPROVAL`),
  });
});

test("a wrong kind names the kinds there are, a wrong input names its field and why", async () => {
  const agentId = shop.agent.id;
  const kind = await shop.request({ agentId, kind: "docker.restrat", input: {} });
  expect(kind.refused!.message).toMatch(/no remediation "docker.restrat"; did you mean "docker\.restart"\? There are/);
  const input = await shop.request({
    agentId,
    kind: "docker.restart",
    input: { container: "a b", timeoutSeconds: -1 },
  });
  expect(input.refused!.message).toContain("must be a container name");
});

test("an incident that no probe raised needs the agent, and one that is over cannot be fixed", async () => {
  const { data } = await shop.server.ask(
    'mutation { raiseIncident(input: { title: "slow", severity: P2 }) { incident { id } } }',
  );
  const incidentId = data.raiseIncident.incident.id;
  expect((await shop.request({ incidentId })).refused!.message).toContain("not raised by a probe");
  const input = { incidentId, agentId: shop.agent.id, kind: "docker.restart", input: { container: newItem() } };
  expect((await shop.request(input)).run).toMatchObject({ status: "AWAITING_APPROVAL" });
  await shop.server.ask("mutation ($id: ID!) { resolveIncident(input: { id: $id }) { incident { id } } }", {
    id: incidentId,
  });
  expect((await shop.request(input)).refused!.message).toContain("is RESOLVED; there is nothing to fix");
});

test("what has merged into an incident is fixed through it, once it is said which of several is meant", async () => {
  await using other = await ScriptedAgent.start(shop.server);
  const probeId = await shop.probe();
  const item = newItem();
  const intoId = await shop.fails(probeId, item);
  const fromId = await shop.fails(probeId, item, other);
  await shop.server.ask(
    "mutation ($into: ID!, $from: [ID!]!) { mergeIncidents(input: { intoId: $into, fromIds: $from }) { userErrors { message } } }",
    { into: intoId, from: [fromId] },
  );
  const unclear = await shop.request({ incidentId: intoId });
  expect(unclear.refused!.message).toContain("more than one thing");
  const { run } = await shop.request({ incidentId: intoId, agentId: other.id });
  expect(run).toMatchObject({ target: `docker/${item}` });
});

test("secrets in an input are shown to nobody", async () => {
  const name = newItem();
  const { run } = await shop.request({
    agentId: shop.agent.id,
    kind: "process.restart",
    input: { name, command: ["/usr/bin/worker", "--password=hunter22", "--verbose"] },
  });
  expect(JSON.stringify(run!.input)).not.toContain("hunter22");
  const [event] = await shop.sql("SELECT payload::text AS text FROM events WHERE payload->>'runId' = $1", [run!.id]);
  expect(event!.text).not.toContain("hunter22");
  expect(event!.text).toContain("--verbose");
});

test("a preview that is never answered says so", async () => {
  const item = newItem();
  const incidentId = await shop.fails(await shop.probe(), item);
  const { run } = await shop.request({ incidentId });
  const { id } = await shop.agent.takes("PREVIEW", item);
  await shop.sql("UPDATE agent_commands SET start_by = now() - interval '1 second' WHERE id = $1", [id]);
  await expect
    .poll(async () => (await shop.run(run!.id)).preview, { timeout: 5000 })
    .toEqual({ possible: false, reason: "the agent did not answer in time" });
});
