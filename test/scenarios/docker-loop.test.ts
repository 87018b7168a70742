import {
  ApproveRemediationDocument,
  CreateProbeDocument,
  type CreateProbeInput,
  IncidentDetailsDocument,
  RemediationRunsDocument,
  RequestRemediationDocument,
  SetRemediationPolicyDocument,
  unwrap,
} from "@poppo-ops/client";
import { engineOrReason, removeContainer, startContainer, type TestContainer } from "@poppo-ops/plugins/docker/testing";
import type Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AgentProcess, startAgentProcess } from "../harness/agent-process.js";
import { EventRecorder } from "../harness/event-recorder.js";
import { type ServerProcess, startServerProcess } from "../harness/server-process.js";

const engine = await engineOrReason();

/** Serves until its process is killed: the container then exits, as a crashed service does. */
const SERVICE = "echo service starts; trap 'echo fatal: lost the lock; exit 42' TERM; while true; do sleep 0.1; done";

describe.skipIf(typeof engine === "string")("the closed loop on a real Docker engine", () => {
  const docker = engine as Docker;
  let server: ServerProcess;
  let agent: AgentProcess;
  const containers: TestContainer[] = [];

  beforeAll(async () => {
    server = await startServerProcess();
    agent = await startAgentProcess(server, "docker-host", {
      allow: [{ remediation: "docker.*", targets: ["docker/poppo-test-*"] }],
    });
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    for (const container of containers) await removeContainer(container);
  });

  const start = async (script: string): Promise<TestContainer> => {
    const container = await startContainer(docker, script);
    containers.push(container);
    return container;
  };

  const watch = async (name: string, more: Partial<CreateProbeInput> = {}) => {
    const { createProbe } = await server.client.request(CreateProbeDocument, {
      input: {
        name: `container ${name}`,
        kind: "docker.containers",
        config: { names: [name] },
        interval: "2s",
        retryInterval: "1s",
        severity: "P1",
        category: "APPLICATION_CRASH",
        // Verified by an early green outcome and over after the eighth: nothing makes the one wait for the other.
        rules: { attempts: 2, recoveries: 8 },
        remediation: { kind: "docker.restart", input: { container: "{item}", timeoutSeconds: 1 } },
        ...more,
      },
    });
    return unwrap(createProbe).probe!;
  };

  /** Ends the container's process, so that the container exits. */
  const crash = ({ container }: TestContainer) => container.kill({ signal: "SIGTERM" });

  const policy = async (probeId: string, more: object) => {
    const { setRemediationPolicy } = await server.client.request(SetRemediationPolicyDocument, {
      input: { probeId, mode: "AUTOMATIC", ...more },
    });
    unwrap(setRemediationPolicy);
  };

  test("a crash becomes an incident with its evidence; an approved restart fixes it, is verified, and the incident resolves", async () => {
    const service = await start(SERVICE);
    await using recorder = new EventRecorder(server.client);
    await watch(service.name);
    await crash(service);

    const raised = await recorder.find(
      "the crash is raised",
      ({ type, summary }) => type === "incident.raised" && summary.includes(service.name),
      15_000,
    );
    const { incident } = await server.client.request(IncidentDetailsDocument, { id: raised.incidentId });
    const evidence = JSON.stringify(incident!.evidence);
    expect(evidence).toMatch(/"exitCode":42/);
    expect(evidence).toContain("fatal: lost the lock");

    const requested = unwrap(
      (await server.client.request(RequestRemediationDocument, { input: { incidentId: raised.incidentId } }))
        .requestRemediation,
    );
    const runId = requested.run!.id;
    expect(requested.run).toMatchObject({
      kind: "docker.restart",
      target: `docker/${service.name}`,
      status: "AWAITING_APPROVAL",
      risk: "R2",
    });
    const output: string[] = [];
    const streaming = (async () => {
      for await (const chunk of server.client.remediationOutput(runId)) output.push(chunk.text);
    })();
    unwrap((await server.client.request(ApproveRemediationDocument, { input: { id: runId } })).approveRemediation);

    await recorder.find(
      "the incident resolves",
      ({ type, incidentId }) => type === "incident.resolved" && incidentId === raised.incidentId,
      60_000,
    );
    await streaming;
    expect(output.join("")).toContain(service.name);
    expect((await service.container.inspect()).State.Running).toBe(true);

    const story = recorder.events.filter(({ incidentId }) => incidentId === raised.incidentId).map(({ type }) => type);
    const steps = [
      "incident.raised",
      "remediation.requested",
      "remediation.approved",
      "remediation.started",
      "remediation.verified",
      "incident.resolved",
    ];
    expect(story.filter((type) => steps.includes(type))).toEqual(steps);
  }, 90_000);

  test("by policy the same happens without a person", async () => {
    const service = await start(SERVICE);
    await using recorder = new EventRecorder(server.client);
    const probe = await watch(service.name);
    await policy(probe.id, {});
    await crash(service);

    const raised = await recorder.find(
      "the crash is raised",
      ({ type, summary }) => type === "incident.raised" && summary.includes(service.name),
      15_000,
    );
    await recorder.find(
      "the incident resolves",
      ({ type, incidentId }) => type === "incident.resolved" && incidentId === raised.incidentId,
      60_000,
    );
    const { remediationRuns } = await server.client.request(RemediationRunsDocument, {
      filter: { incidentIds: [raised.incidentId!] },
    });
    expect(remediationRuns.nodes).toMatchObject([{ automatic: true, status: "SUCCEEDED", kind: "docker.restart" }]);
    expect((await service.container.inspect()).State.Running).toBe(true);
  }, 90_000);

  test("a container that crashes again at once opens the breaker after the configured attempts, and the incident says why", async () => {
    const service = await start("echo cannot read the config; sleep 0.3; exit 3");
    await using recorder = new EventRecorder(server.client);
    const probe = await watch(service.name, { rules: { attempts: 1, recoveries: 3 } });
    await policy(probe.id, { cooldown: "1s", maxAttempts: 10, breakerAfter: 2 });

    const opened = await recorder.find(
      "the breaker opens",
      ({ type }) => type === "remediation.breaker_opened",
      180_000,
    );
    expect(opened.summary).toMatch(/2/);
    const { incident } = await server.client.request(IncidentDetailsDocument, {
      id: opened.incidentId,
      timelineFirst: 100,
    });
    expect(incident!.status).toBe("TRIGGERED");
    const { remediationRuns } = await server.client.request(RemediationRunsDocument, {
      filter: { incidentIds: [opened.incidentId!] },
    });
    expect(remediationRuns.nodes).toHaveLength(2);
    // A look in the moment between two crashes may find it running: then the fix helped and did not hold.
    const failures = incident!.timeline.events.filter(({ type }) =>
      ["remediation.did_not_help", "remediation.relapsed"].includes(type),
    );
    expect(failures).toHaveLength(2);
  }, 240_000);
});
