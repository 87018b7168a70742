import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, IncidentSnapshotDocument } from "@poppo-ops/client";
import WebSocket from "ws";
import { SimulatedAgent } from "../harness/simulated-agent.js";
import { openSql } from "../harness/sql.js";
import { load } from "./load-process.js";
import { percentile } from "./row.js";

export interface LatencyInput {
  url: string;
  token: string;
  databaseUrl: string;
  probeId: string;
  agents: number;
  samples: number;
  /** From one event to the next failure: what the server does after one is not part of the next. */
  pauseMs: number;
}

export interface LatencyOutput {
  p50: number;
  p99: number;
  limitP50: number;
  limitP99: number;
}

load<LatencyInput, LatencyOutput>(async ({ url, token, databaseUrl, probeId, agents: count, samples, pauseMs }) => {
  const client = createClient({ url, token });
  const agents = await SimulatedAgent.enrolMany(databaseUrl, url, count, `idle-${process.pid}`);
  await Promise.all(agents.map((agent) => agent.connect()));
  const { incidentSnapshot } = await client.request(IncidentSnapshotDocument, { first: 1 });
  const events = client
    .events({ filter: { types: ["incident.raised"] }, after: incidentSnapshot.cursor })
    [Symbol.asyncIterator]();
  const times: number[] = [];
  // Each time another thing fails, for the first time.
  for (let i = -10; i < samples; i++) {
    await sleep(pauseMs);
    const started = performance.now();
    agents[0]!.report([
      {
        probeId,
        item: `thing ${i}`,
        at: Date.now(),
        durationMs: 1,
        status: "CRIT",
        summary: "it fails",
        metrics: null,
        evidence: null,
      },
    ]);
    await events.next();
    if (i >= 0) times.push(performance.now() - started);
  }
  await events.return?.();
  times.sort((a, b) => a - b);
  const limits = await roundTripsWithCommit(url, databaseUrl, samples);
  await Promise.all([client, ...agents].map((peer) => peer.close()));
  return {
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    limitP50: percentile(limits, 0.5),
    limitP99: percentile(limits, 0.99),
  };
});

/** What no implementation can be faster than: over a WebSocket and back, and one commit. Sorted. */
async function roundTripsWithCommit(url: string, databaseUrl: string, samples: number): Promise<number[]> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/graphql`, "graphql-transport-ws");
  await once(socket, "open");
  await using sql = await openSql(databaseUrl);
  await sql.query("CREATE TABLE IF NOT EXISTS bench_commit (at timestamptz)");
  const times: number[] = [];
  for (let i = 0; i < samples; i++) {
    const started = performance.now();
    socket.ping();
    await once(socket, "pong");
    await sql.query("INSERT INTO bench_commit VALUES (now())");
    times.push(performance.now() - started);
  }
  await sql.query("DROP TABLE bench_commit");
  socket.terminate();
  return times.sort((a, b) => a - b);
}
