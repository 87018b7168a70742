import { CreateProbeDocument, unwrap } from "@poppo-ops/client";
import type { ServerProcess } from "../harness/server-process.js";
import type { IngestInput, IngestOutput } from "./ingest.load.js";
import { runLoad } from "./load-process.js";
import { type Row, round } from "./row.js";
import type { UnnestInput } from "./unnest.load.js";

/** Results committed and acknowledged per second, with evaluation on. */
export async function ingest(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const seconds = quick ? 5 : 15;
  const probeIds = await someProbes(server);
  const agents = (changing: number) => agentsReport(server, { probeIds, seconds, changing });
  const bare = await runLoad<UnnestInput, { perSecond: number }>(new URL("./unnest.load.js", import.meta.url), {
    databaseUrl: server.databaseUrl,
    rows: 4000,
    seconds,
  });
  const calm = await agents(0);
  const storm = await agents(0.05);
  const limit = Math.round(bare.perSecond);
  return [
    {
      id: "ingest",
      value: Math.round(calm.perSecond),
      unit: "results/s",
      limit,
      note: "200 agents, batches of 100; limit: bare INSERT … SELECT unnest of the same rows, made beforehand, by one prepared statement",
    },
    {
      id: "ingest.storm",
      value: round(storm.perSecond, 0),
      unit: "results/s",
      limit,
      note: "the same while 5 % of results change the state of their thing",
    },
  ];
}

/** Twenty probes that no real agent has. */
export async function someProbes(server: ServerProcess): Promise<string[]> {
  const probeIds: string[] = [];
  for (let i = 0; i < 20; i++) {
    const { createProbe } = await server.client.request(CreateProbeDocument, {
      input: { name: `bench ${i}`, kind: "system.load", interval: "10s", agentSelector: { bench: "no agent has it" } },
    });
    probeIds.push(unwrap(createProbe).probe!.id);
  }
  return probeIds;
}

/** 200 agents in a process of their own send batches of 100 as fast as they are acknowledged. */
export const agentsReport = (
  { url, databaseUrl }: ServerProcess,
  input: Pick<IngestInput, "probeIds" | "seconds" | "changing">,
): Promise<IngestOutput> =>
  runLoad<IngestInput, IngestOutput>(new URL("./ingest.load.js", import.meta.url), {
    url,
    databaseUrl,
    agents: 200,
    batch: 100,
    ...input,
  });
