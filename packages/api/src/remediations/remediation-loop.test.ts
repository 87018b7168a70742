import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RepairShop } from "./testing/repair-shop.js";

let shop: RepairShop;
beforeAll(async () => {
  shop = await RepairShop.open();
});
afterAll(() => shop[Symbol.asyncDispose]());

test("a failing item is requested, previewed, approved, fixed, verified; the incident tells it in order", async () => {
  const probeId = await shop.probe();
  const incidentId = await shop.fails(probeId);
  const { run } = await shop.request({ incidentId });
  expect(run).toMatchObject({ status: "AWAITING_APPROVAL", target: "docker/web", preview: null, automatic: false });
  await shop.agent.previews();
  await shop.event(incidentId, "remediation.previewed");
  expect((await shop.run(run!.id)).preview).toEqual({ possible: true, actions: ["restart it"], refusals: [] });

  const approved = await shop.approve(run!.id);
  expect(approved.run).toMatchObject({ status: "QUEUED" });
  const command = await shop.agent.begins();
  expect(command).toMatchObject({
    remediation: "docker.restart",
    input: { container: "web" },
    target: "docker/web",
    fencingToken: 1,
    verify: { probeId, everyMs: 1000, forMs: 60_000 },
  });
  await shop.agent.reports(command, { end: "SUCCEEDED", summary: "restarted web" });
  await shop.becomes(run!.id, "VERIFYING");
  await shop.agent.observes(probeId, "OK");
  const done = await shop.becomes(run!.id, "SUCCEEDED");
  expect(done).toMatchObject({ summary: "restarted web", decidedBy: expect.stringContaining("admin") });
  await shop.event(incidentId, "incident.resolved");
  const types = (await shop.events(incidentId)).map(({ type }) => type);
  expect(types.filter((type) => type.startsWith("remediation."))).toEqual([
    "remediation.requested",
    "remediation.previewed",
    "remediation.approved",
    "remediation.started",
    "remediation.verifying",
    "remediation.verified",
  ]);
});
