import { CreateProbeDocument, unwrap } from "@poppo-ops/client";
import { ADMIN_TOKEN, type ServerProcess } from "../harness/server-process.js";
import type { LatencyInput, LatencyOutput } from "./latency.load.js";
import { runLoad } from "./load-process.js";
import { type Row, round } from "./row.js";

const AGENTS = 1000;
const PAUSE_MS = 25;

/** From a failing result leaving its agent to the event at a subscriber, with many agents connected. */
export async function latency(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const { createProbe } = await server.client.request(CreateProbeDocument, {
    input: {
      name: "bench latency",
      kind: "system.load",
      agentSelector: { bench: "no agent has it" },
      rules: { attempts: 1 },
    },
  });
  const output = await runLoad<LatencyInput, LatencyOutput>(new URL("./latency.load.js", import.meta.url), {
    url: server.url,
    token: ADMIN_TOKEN,
    databaseUrl: server.databaseUrl,
    probeId: unwrap(createProbe).probe!.id,
    agents: AGENTS,
    samples: quick ? 200 : 500,
    pauseMs: PAUSE_MS,
  });
  const note = `from an agent's report to the event at a subscriber, a failure every ${PAUSE_MS} ms, ${AGENTS} agents connected; limit: a WebSocket round trip and one commit`;
  return [
    { id: "latency.p50", value: round(output.p50, 2), unit: "ms", limit: round(output.limitP50, 2), note },
    { id: "latency.p99", value: round(output.p99, 2), unit: "ms", limit: round(output.limitP99, 2), note },
  ];
}
