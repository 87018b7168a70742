import { once } from "node:events";
import { createClient, IncidentSnapshotDocument } from "@poppo-ops/client";
import pg from "pg";
import WebSocket from "ws";
import { SimulatedAgent } from "../harness/simulated-agent.js";
import { load } from "./load-process.js";
import { percentile } from "./row.js";

export interface LatencyInput {
  url: string;
  token: string;
  databaseUrl: string;
  probeId: string;
  agents: number;
  samples: number;
}

export interface LatencyOutput {
  p50: number;
  p99: number;
  limit: number;
}

load<LatencyInput, LatencyOutput>(async ({ url, token, databaseUrl, probeId, agents: count, samples }) => {
  const client = createClient({ url, token });
  const agents: SimulatedAgent[] = [];
  for (let i = 0; i < count; i++) agents.push(await SimulatedAgent.enrol(client, url, `idle-${process.pid}-${i}`));
  await Promise.all(agents.map((agent) => agent.connect()));
  const { incidentSnapshot } = await client.request(IncidentSnapshotDocument, { first: 1 });
  const events = client
    .events({ filter: { types: ["incident.raised"] }, after: incidentSnapshot.cursor })
    [Symbol.asyncIterator]();
  const times: number[] = [];
  // Each time another thing fails, for the first time.
  for (let i = -10; i < samples; i++) {
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
  const limit = (await roundTrip(url)) + (await oneCommit(databaseUrl));
  await Promise.all([client, ...agents].map((peer) => peer.close()));
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), limit };
});

async function roundTrip(url: string): Promise<number> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/graphql`, "graphql-transport-ws");
  await once(socket, "open");
  const median = await medianOf(async () => {
    socket.ping();
    await once(socket, "pong");
  });
  socket.terminate();
  return median;
}

async function oneCommit(databaseUrl: string): Promise<number> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query("CREATE TABLE IF NOT EXISTS bench_commit (at timestamptz)");
  const median = await medianOf(() => client.query("INSERT INTO bench_commit VALUES (now())"));
  await client.query("DROP TABLE bench_commit");
  await client.end();
  return median;
}

async function medianOf(act: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const started = performance.now();
    await act();
    times.push(performance.now() - started);
  }
  return percentile(
    times.sort((a, b) => a - b),
    0.5,
  );
}
