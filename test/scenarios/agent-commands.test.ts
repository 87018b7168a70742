import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ApproveRemediationDocument,
  CancelRemediationDocument,
  CreateProbeDocument,
  ProbeStatesDocument,
  RemediationRunDocument,
  RequestRemediationDocument,
  RunProbeDocument,
  unwrap,
} from "@poppo-ops/client";
import { expect, onTestFinished, test } from "vitest";
import { startAgentProcess } from "../harness/agent-process.js";
import { EventRecorder } from "../harness/event-recorder.js";
import { startServerProcess } from "../harness/server-process.js";

/** A real agent in the middle of a repair that notes its process id in the file `ran`, and then takes its time. */
async function repairUnderWay() {
  const folder = await mkdtemp(join(tmpdir(), "poppo-remedy-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const server = await startServerProcess();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const agent = await startAgentProcess(server, "remedy-host", {
    allow: [{ remediation: "process.restart", targets: ["*"] }],
  });
  onTestFinished(() => agent[Symbol.asyncDispose]());
  const recorder = new EventRecorder(server.client);
  onTestFinished(() => recorder[Symbol.asyncDispose]());
  const pidFile = join(folder, "worker.pid");
  const ran = join(folder, "ran");
  const command = ["/bin/sh", "-c", `echo $$ >> ${ran}; sleep 300`];
  unwrap(
    (
      await server.client.request(CreateProbeDocument, {
        input: {
          name: "worker",
          kind: "process.alive",
          config: { pidFile },
          interval: "1s",
          retryInterval: "1s",
          rules: { attempts: 1 },
          remediation: { kind: "process.restart", input: { pidFile, command, mode: "command" } },
        },
      })
    ).createProbe,
  );
  const raised = await recorder.ofType("incident.raised");
  const requested = unwrap(
    (await server.client.request(RequestRemediationDocument, { input: { incidentId: raised.incidentId } }))
      .requestRemediation,
  );
  const runId = requested.run!.id;
  unwrap((await server.client.request(ApproveRemediationDocument, { input: { id: runId } })).approveRemediation);
  await recorder.ofType("remediation.started");
  await expect.poll(() => existsSync(ran), { timeout: 10_000 }).toBe(true);
  const pids = async () => (await readFile(ran, "utf8")).trim().split("\n").map(Number);
  const hasEnded = (status: string) =>
    expect
      .poll(async () => (await server.client.request(RemediationRunDocument, { id: runId })).remediationRun!.status, {
        timeout: 30_000,
      })
      .toBe(status);
  return { server, agent, recorder, runId, pids, hasEnded };
}

test("a repair that is cancelled is stopped on its host, with the proof that nothing of it runs", async () => {
  const { server, runId, pids, hasEnded } = await repairUnderWay();
  unwrap((await server.client.request(CancelRemediationDocument, { input: { id: runId } })).cancelRemediation);
  await hasEnded("CANCELLED");
  expect((await pids()).filter(runs)).toEqual([]);
}, 120_000);

test("a probe that runs once an hour runs when somebody asks", async () => {
  await using server = await startServerProcess();
  await using agent = await startAgentProcess(server, "asked-host", {});
  const { probe } = unwrap(
    (
      await server.client.request(CreateProbeDocument, {
        input: { name: "load", kind: "system.load", interval: "1h", retryInterval: "1h" },
      })
    ).createProbe,
  );
  const lastAt = async () => {
    const { probeStates } = await server.client.request(ProbeStatesDocument, { filter: { probeIds: [probe!.id] } });
    return probeStates.nodes[0]?.lastAt;
  };
  await expect.poll(lastAt, { timeout: 15_000 }).toBeDefined();
  const first = await lastAt();
  unwrap(
    (await server.client.request(RunProbeDocument, { input: { probeId: probe!.id, agentId: agent.id } })).runProbe,
  );
  await expect.poll(lastAt, { timeout: 15_000 }).not.toBe(first);
}, 120_000);

test("kill -9 of an agent in the middle of a remediation: one end, and the command did not run twice", async () => {
  const { agent, recorder, runId, pids, hasEnded } = await repairUnderWay();
  await agent.kill9();
  agent.start();

  await hasEnded("INTERRUPTED");
  const ran = await pids();
  expect(ran).toHaveLength(1);
  expect(ran.filter(runs)).toEqual([]);
  const ends = recorder.events
    .filter(({ type, payload }) => type.startsWith("remediation.") && (payload as { runId?: string }).runId === runId)
    .map(({ type }) => type);
  expect(
    ends.filter((type) =>
      [
        "remediation.succeeded",
        "remediation.failed",
        "remediation.interrupted",
        "remediation.lost",
        "remediation.ended",
      ].includes(type),
    ),
  ).toHaveLength(1);
}, 120_000);

/** A process that ended and that nobody has waited for yet (a zombie) does not run. */
function runs(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  return stat !== "" && !/\) Z /.test(stat);
}
