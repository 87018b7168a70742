import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateProbeDocument, unwrap } from "@poppo-ops/client";
import { startAgentProcess } from "../harness/agent-process.js";
import type { ServerProcess } from "../harness/server-process.js";
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
  const before = await cpuMs(process.pid);
  await sleep(seconds * 1000);
  const cpu = (await cpuMs(process.pid)) - before;
  const rss = await rssMiB(process.pid);
  const bare = spawn(globalThis.process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  await sleep(2000);
  const bareRss = await rssMiB(bare.pid!);
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

async function rssMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
}

/** Fields 14 and 15 of proc(5) stat, in clock ticks of 10 ms; the name in field 2 may hold spaces. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
