import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateProbeDocument, unwrap } from "@poppo-ops/client";
import { startAgentProcess } from "../harness/agent-process.js";
import type { ServerProcess } from "../harness/server-process.js";
import { usageOf } from "./process-usage.js";
import { type Row, round } from "./row.js";

/** Kinds that run on any Linux host. */
const KINDS = ["system.cpu", "system.memory", "system.disk", "system.load", "system.network"];

/** What the agent costs its host with 20 probes every 10 s. */
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
  await using process = await startAgentProcess(server, "bench-host", {});
  const seconds = quick ? 30 : 180;
  await sleep(5000);
  const before = await usageOf(process.pid);
  await sleep(seconds * 1000);
  const after = await usageOf(process.pid);
  const cpu = after.cpuMs - before.cpuMs;
  const rss = after.rssMiB;
  const bare = spawn(globalThis.process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  await sleep(2000);
  const bareRss = (await usageOf(bare.pid!)).rssMiB;
  const gone = once(bare, "exit");
  bare.kill();
  await gone;
  return [
    {
      id: "agent.rss",
      value: round(rss),
      unit: "MiB",
      limit: round(bareRss),
      note: `20 probes every 10 s for ${seconds} s; limit: a Node process that does nothing`,
    },
    {
      id: "agent.cpu",
      value: round(cpu / seconds / 10, 2),
      unit: "% of a core",
      note: "user and system time of the same run",
    },
  ];
}
