import type { Client } from "../../client.js";
import { unwrap } from "../../error.js";
import {
  CreateProbeDocument,
  type CreateProbeInput,
  type ProbeFieldsFragment,
  ProbesDocument,
  UpdateProbeDocument,
} from "../../generated/graphql.js";
import type { Ready } from "./server-child.js";

/** Only the agent that `up` starts carries it: another host must not answer for this one's database. */
export const LOCAL = { local: "true" };

/** The agent finds the embedded database's password here; the server never stores it. */
export const DATABASE_PASSWORD = "POPPO_DATABASE_PASSWORD";

/** How long trouble must last before it is believed: playbook, "Monitoring and alerts". A busy minute is no incident. */
const lasting = (minutes: number) => ({ rules: { forMs: minutes * 60_000 } });

/** What a first start watches on this host. */
const defaultProbes = ({ url, database }: Ready, env: NodeJS.ProcessEnv): CreateProbeInput[] => [
  { name: "cpu", kind: "system.cpu", interval: "10s", severity: "P2", category: "PERFORMANCE", ...lasting(2) },
  { name: "memory", kind: "system.memory", interval: "10s", severity: "P1", category: "PERFORMANCE", ...lasting(1) },
  { name: "load", kind: "system.load", interval: "30s", severity: "P3", category: "PERFORMANCE", ...lasting(5) },
  { name: "network", kind: "system.network", interval: "30s", severity: "P2", category: "NETWORK" },
  { name: "disks", kind: "system.disk", interval: "60s", severity: "P1", category: "DISK", ...lasting(1) },
  {
    name: "poppo-ops server",
    kind: "http.check",
    interval: "10s",
    severity: "P1",
    category: "APPLICATION_CRASH",
    agentSelector: LOCAL,
    config: { url: `${url}/health` },
  },
  ...databaseProbes(database, env),
  {
    name: "containers",
    kind: "docker.containers",
    // A crash is an incident within ten seconds.
    interval: "5s",
    retryInterval: "2s",
    rules: { attempts: 2 },
    severity: "P1",
    category: "APPLICATION_CRASH",
    config: {},
    remediation: { kind: "docker.restart", input: { container: "{item}" } },
  },
];

function databaseProbes(database: Ready["database"], env: NodeJS.ProcessEnv): CreateProbeInput[] {
  const { password: _, ...embedded } = database ?? {};
  const config = database
    ? { ...embedded, password: `env:${DATABASE_PASSWORD}` }
    : env.DATABASE_URL && { url: "env:DATABASE_URL" };
  if (!config) return [];
  return [
    {
      name: "poppo-ops database",
      kind: "postgres.ready",
      interval: "10s",
      severity: "P1",
      category: "DATABASE",
      agentSelector: LOCAL,
      config,
    },
  ];
}

/**
 * At the first start, creates the default probes on a server that has no others; one that was interrupted half-way is
 * completed. What a person changed or deleted since is left alone, but for where our own server and database are.
 */
export async function provideProbes(
  client: Client,
  ready: Ready,
  env: NodeJS.ProcessEnv,
  first: boolean,
): Promise<void> {
  const wanted = defaultProbes(ready, env);
  const { nodes } = (await client.request(ProbesDocument, { first: 500 })).probes;
  const ours = nodes.every(({ name }) => wanted.some((probe) => probe.name === name));
  for (const input of wanted) {
    const existing = nodes.find(({ name }) => name === input.name);
    if (existing) await follow(client, existing, input);
    else if (first && ours) unwrap((await client.request(CreateProbeDocument, { input })).createProbe);
  }
}

/** The port, or the folder of the database's socket, may be another than at the last start. */
async function follow(
  client: Client,
  existing: ProbeFieldsFragment,
  { kind, config, agentSelector }: CreateProbeInput,
): Promise<void> {
  if (agentSelector !== LOCAL || existing.kind !== kind) return;
  const [is, should] = [existing.config, config] as Record<string, unknown>[];
  if (Object.entries(should!).every(([key, value]) => is![key] === value)) return;
  const input = { id: existing.id, config: { ...is, ...should } };
  unwrap((await client.request(UpdateProbeDocument, { input })).updateProbe);
}
