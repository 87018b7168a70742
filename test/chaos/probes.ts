import {
  type Client,
  CreateProbeDocument,
  type CreateProbeInput,
  SetRemediationPolicyDocument,
  unwrap,
} from "@poppo-ops/client";
import type { FakeEngine } from "../harness/fake-engine.js";
import type { Worker } from "./worker.js";

export const CONTAINERS = ["web", "queue", "cache"];

export interface Probes {
  /** What the crowd reports. */
  load: string;
  /** A probe of a worker, by the name of its host: a person approves its restarts. */
  worker: Map<string, string>;
}

interface Site {
  name: string;
  engine: FakeEngine;
  worker: Worker;
}

const quick = { interval: "1s", retryInterval: "1s", rules: { attempts: 1, recoveries: 1 } };

/** What is watched in a run, and what may be done about it by itself: generous on one host, tight on the next. */
export async function createProbes(client: Client, sites: Site[]): Promise<Probes> {
  const create = async (input: CreateProbeInput) =>
    unwrap((await client.request(CreateProbeDocument, { input })).createProbe).probe!.id;
  const load = await create({
    ...quick,
    name: "load",
    kind: "system.load",
    interval: "10s",
    agentSelector: { name: "nobody" },
  });
  const worker = new Map<string, string>();
  for (const [i, site] of sites.entries()) {
    worker.set(site.name, await create(workerProbe(site)));
    const probeId = await create(containerProbe(site));
    unwrap(
      (await client.request(SetRemediationPolicyDocument, { input: { probeId, ...policyOf(i).input } }))
        .setRemediationPolicy,
    );
    await create(diskHungry(site));
  }
  return { load, worker };
}

/** What automation may do to the containers of a host, as it is told to the server and in numbers for the checker. */
const POLICIES = [
  {
    input: { mode: "AUTOMATIC", cooldown: "1s", maxAttempts: 100, window: "1m", breakerAfter: 20, maxShare: 1 },
    ...{ cooldownMs: 1000, windowMs: 60_000, atOnce: CONTAINERS.length },
  },
  {
    input: { mode: "AUTOMATIC", cooldown: "5s", maxAttempts: 4, window: "1m", breakerAfter: 3 },
    ...{ cooldownMs: 5000, windowMs: 60_000, atOnce: 1 },
  },
] as const;

/** By the place of the host in the list of hosts. */
export const policyOf = (i: number) => POLICIES[i % POLICIES.length]!;

const workerProbe = ({ name, worker: { pidFile, command } }: Site): CreateProbeInput => ({
  ...quick,
  name: `worker of ${name}`,
  kind: "process.alive",
  agentSelector: { name },
  config: { pidFile },
  remediation: { kind: "process.restart", input: { pidFile, command, mode: "command", graceMs: 1000 } },
});

const containerProbe = ({ name, engine: { socketPath } }: Site): CreateProbeInput => ({
  ...quick,
  name: `containers of ${name}`,
  kind: "docker.containers",
  agentSelector: { name },
  config: { socketPath, names: CONTAINERS, stats: false, logLines: 0 },
  remediation: { kind: "docker.restart", input: { container: "{item}", timeoutSeconds: 0, socketPath } },
});

/** Long outcomes, so that an outage of seconds fills a small spool. */
const diskHungry = ({ name }: Site): CreateProbeInput => ({
  ...quick,
  name: `verbose check of ${name}`,
  kind: "exec.nagios",
  agentSelector: { name },
  config: { argv: ["/bin/sh", "-c", "echo OK; head -c 12000 /dev/zero | tr '\\0' x"] },
});
