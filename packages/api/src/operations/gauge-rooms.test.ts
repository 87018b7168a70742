import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, testAgent } from "../agents/testing/test-agent.js";
import { result, testProbe } from "../agents/testing/test-probes.js";
import { scrape } from "../http/testing/scrape.js";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { newId } from "../kernel/ids.js";
import { RepairShop } from "../remediations/testing/repair-shop.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

test("what agents report is counted once, what they gave up by its reason, and what is refused by its code", async () => {
  const probeId = await testProbe(server);
  await using agent = await connect(server, await testAgent(server, "host-a"));
  await agent.open();
  const epoch = newId();
  const results = [1, 2, 3].map((n) => result(probeId, "OK", server.app.clock.now() - n));
  await agent.report({ epoch, from: 1, results });
  await agent.report({ epoch, from: 1, results });
  await agent.report({ epoch, from: 14, results, gaps: [{ from: 4, to: 13, reason: "BYTES" }] });
  await expect(agent.report({ epoch, from: 99, results })).rejects.toMatchObject({ code: "OUT_OF_ORDER" });
  await expect(
    agent.run("mutation ($batch: ResultBatch!) { reportResults(batch: $batch) { ackedSeq } }", { batch: { v: 7 } }),
  ).rejects.toMatchObject({ code: "BAD_BATCH" });

  const { value } = await scrape(server.url);
  expect(value("poppo_ingest_results_total")).toBe(6);
  expect(value("poppo_ingest_lost_results_total", { reason: "BYTES" })).toBe(10);
  expect(value("poppo_ingest_batches_total", { outcome: "acknowledged" })).toBe(3);
  expect(value("poppo_ingest_batches_total", { outcome: "OUT_OF_ORDER" })).toBe(1);
  expect(value("poppo_ingest_batches_total", { outcome: "BAD_BATCH" })).toBe(1);
  expect(value("poppo_ingest_flush_duration_seconds_count")).toBeGreaterThanOrEqual(3);
  expect(value("poppo_ingest_waiting_results")).toBe(0);
  expect(value("poppo_agent_sessions")).toBe(1);
  expect(value("poppo_websocket_connections", { kind: "agent" })).toBe(1);
});

test("open incidents by severity: no closed one, and the others at zero", async () => {
  await using own = await testServer();
  const raise = (severity: string) =>
    own.ask(`mutation { raiseIncident(input: { title: "x", severity: ${severity} }) { incident { id } } }`);
  await raise("P1");
  await raise("P1");
  const { data } = await raise("P2");
  const input = { id: data.raiseIncident.incident.id };
  await own.ask("mutation ($input: ResolveIncidentInput!) { resolveIncident(input: $input) { incident { id } } }", {
    input,
  });
  const { value } = await scrape(own.url);
  const open = ["P0", "P1", "P2", "P3"].map((severity) => value("poppo_incidents_open", { severity }));
  expect(open).toEqual([0, 2, 0, 0]);
});

test("the engine's modules show when they last finished a round", async () => {
  const { value } = await scrape(server.url);
  const module = "agents down";
  expect(value("poppo_engine_round_age_seconds", { module })).toBeLessThan(15);
  await expect
    .poll(async () => (await scrape(server.url)).value("poppo_engine_step_duration_seconds_count", { module }))
    .toBeGreaterThan(0);
});

test("a remediation that ended is counted by its status", async () => {
  await using shop = await RepairShop.open();
  const { runId, command } = await shop.begun(await shop.probe(), "counted");
  await shop.agent.reports(command, { end: "FAILED", summary: "no such container" });
  await shop.becomes(runId, "FAILED");
  const { value } = await scrape(shop.server.url);
  expect(value("poppo_remediation_runs_ended_total", { status: "FAILED" })).toBe(1);
  expect(value("poppo_events_appended_total", { type: "remediation.failed" })).toBe(1);
});
