import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ApproveRemediationDocument,
  CreateProbeDocument,
  RemediationRunDocument,
  RequestRemediationDocument,
  unwrap,
} from "@poppo-ops/client";
import { expect, test } from "vitest";
import { startAgentProcess } from "../harness/agent-process.js";
import { EventRecorder } from "../harness/event-recorder.js";
import { startServerProcess } from "../harness/server-process.js";

test("kill -9 of an agent in the middle of a remediation: one end, and the command did not run twice", async () => {
  const folder = await mkdtemp(join(tmpdir(), "poppo-remedy-"));
  await using server = await startServerProcess();
  await using agent = await startAgentProcess(server, "remedy-host", {
    allow: [{ remediation: "process.restart", targets: ["*"] }],
  });
  await using recorder = new EventRecorder(server.client);
  const pidFile = join(folder, "worker.pid");
  const ran = join(folder, "ran");
  // It notes that it ran, and its process id, and then takes its time.
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

  await agent.kill9();
  agent.start();

  await expect
    .poll(async () => (await server.client.request(RemediationRunDocument, { id: runId })).remediationRun!.status, {
      timeout: 30_000,
    })
    .toBe("INTERRUPTED");
  const pids = (await readFile(ran, "utf8")).trim().split("\n");
  expect(pids).toHaveLength(1);
  expect(runs(Number(pids[0]))).toBe(false);
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
  await rm(folder, { recursive: true, force: true });
}, 120_000);

/** A process that ended and that nobody has waited for yet (a zombie) does not run. */
function runs(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  return stat !== "" && !/\) Z /.test(stat);
}
