import { setTimeout as sleep } from "node:timers/promises";
import type { ServerProcess } from "../harness/server-process.js";
import type { AgentsInput } from "./agents.load.js";
import { startLoad } from "./load-process.js";
import { needOpenFiles } from "./open-files.js";
import { ownUsage } from "./process-usage.js";
import { type Row, round } from "./row.js";

const AGENTS = 10_000;

/** What 10,000 connected agents cost the server while they have nothing to say. */
export async function agents(server: ServerProcess, quick: boolean): Promise<Row[]> {
  await needOpenFiles(AGENTS);
  const { url, databaseUrl } = server;
  const empty = await ownUsage(server.pid);
  await using fleet = startLoad<AgentsInput, number>(new URL("./agents.load.js", import.meta.url), {
    url,
    databaseUrl,
    count: AGENTS,
  });
  const perSecond = await fleet.answer;
  // Two rounds of pings, so that what connecting left behind is gone.
  const seconds = quick ? 15 : 45;
  await sleep(quick ? 15_000 : 30_000);
  const before = await ownUsage(server.pid);
  await sleep(seconds * 1000);
  const after = await ownUsage(server.pid);
  return [
    {
      id: "agents.10k",
      value: round(after.rssMiB),
      unit: "MiB",
      limit: round(empty.rssMiB),
      note: `resident memory of the server with ${AGENTS} agent sessions, connected at ${perSecond}/s (a replica by itself takes up 500 a second), enrolled by SQL; limit: the server without them; budget 600 MiB`,
    },
    {
      id: "agents.10k.cpu",
      value: round((after.cpuMs - before.cpuMs) / seconds / 10, 1),
      unit: "% of a core",
      note: `the server's, for their heartbeats, over ${seconds} s`,
    },
  ];
}
