import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateProbeDocument, unwrap } from "@poppo-ops/client";
import { startAgentProcess } from "../harness/agent-process.js";
import type { ServerProcess } from "../harness/server-process.js";
import { type HostMonitor, netdata, nodeExporter, zabbixAgent } from "./host-monitors.js";
import { type Measured, measured, peerOf } from "./peer.js";
import { ownUsage, type Usage, usageOf } from "./process-usage.js";
import { type Row, round } from "./row.js";

/** Kinds that run on any Linux host. */
const KINDS = ["system.cpu", "system.memory", "system.disk", "system.load", "system.network"];
const INTERVAL_MS = 10_000;

/** What the agent costs its host with 20 probes every 10 s, and what others cost at the same time. */
export async function agent(server: ServerProcess, quick: boolean): Promise<Row[]> {
  for (let i = 0; i < 20; i++) {
    const { createProbe } = await server.client.request(CreateProbeDocument, {
      input: {
        name: `host ${i}`,
        kind: KINDS[i % KINDS.length]!,
        interval: "10s",
        agentSelector: { name: "bench-host" },
      },
    });
    unwrap(createProbe);
  }
  await using agent = await startAgentProcess(server, "bench-host", {});
  const monitors = {
    "zabbix-agent2": await measured(zabbixAgent),
    "prometheus-node-exporter": await measured(nodeExporter),
    netdata: await measured(netdata),
  };
  try {
    const seconds = quick ? 30 : 180;
    await sleep(5000);
    const [ours, ...others] = await Promise.all([
      costOf(agent, seconds),
      ...Object.values(monitors).map((monitor) => measured(async () => costOf(monitorOf(monitor), seconds))),
    ]);
    const peers = Object.keys(monitors).map((name, i) => ({ name, cost: others[i]! }));
    return rowsOf(ours, peers, await idleNodeMiB(), seconds);
  } finally {
    for (const { value } of Object.values(monitors)) await value?.[Symbol.asyncDispose]();
  }
}

function monitorOf({ value, why }: Measured<HostMonitor>): HostMonitor {
  if (!value) throw new Error(why);
  return value;
}

/** Memory at the end; processor time and bytes written in between. */
async function costOf({ pid, ask }: { pid: number; ask?: () => Promise<void> }, seconds: number): Promise<Usage> {
  const before = await usageOf(pid);
  for (let waited = 0; waited < seconds * 1000; waited += INTERVAL_MS) {
    await ask?.();
    await sleep(INTERVAL_MS);
  }
  const { rssMiB, cpuMs, writtenBytes } = await usageOf(pid);
  return { rssMiB, cpuMs: cpuMs - before.cpuMs, writtenBytes: writtenBytes - before.writtenBytes };
}

async function idleNodeMiB(): Promise<number> {
  const bare = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  await sleep(2000);
  const { rssMiB } = await ownUsage(bare.pid!);
  const gone = once(bare, "exit");
  bare.kill();
  await gone;
  return rssMiB;
}

function rowsOf(
  ours: Usage,
  peers: { name: string; cost: Measured<Usage> }[],
  bareMiB: number,
  seconds: number,
): Row[] {
  const row = (id: string, unit: string, figure: (usage: Usage) => number, note: string, limit?: number): Row => ({
    id,
    value: figure(ours),
    unit,
    limit,
    peers: peers.map(({ name, cost }) => peerOf(name, cost, figure)),
    note,
  });
  return [
    row(
      "agent.rss",
      "MiB",
      ({ rssMiB }) => round(rssMiB),
      `20 probes every 10 s for ${seconds} s; limit: a Node process that does nothing; budget 64 MiB`,
      round(bareMiB),
    ),
    row(
      "agent.cpu",
      "% of a core",
      ({ cpuMs }) => round(cpuMs / seconds / 10, 2),
      "user and system time of the same run; budget 1 %",
    ),
    row("agent.disk", "KiB written", ({ writtenBytes }) => Math.round(writtenBytes / 1024), "of the same run"),
  ];
}
