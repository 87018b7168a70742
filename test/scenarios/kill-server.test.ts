import { CreateProbeDocument, createClient, RaiseIncidentDocument, unwrap } from "@poppo-ops/client";
import type { Result } from "@poppo-ops/plugins/wire";
import pg from "pg";
import { expect, test } from "vitest";
import { testDatabase } from "../../packages/api/src/db/testing/test-database.js";
import { EventRecorder } from "../harness/event-recorder.js";
import { ADMIN_TOKEN, startServerProcess } from "../harness/server-process.js";
import { SimulatedAgent } from "../harness/simulated-agent.js";

const AGENTS = 50;
const SUBSCRIBERS = 20;
const ROUNDS = 3;

test("kill -9 of the server while 50 agents report and 20 subscribers listen loses and repeats nothing", async () => {
  await using database = await testDatabase();
  await using server = await startServerProcess({ DATABASE_URL: database.url });
  const { client } = server;
  const { createProbe } = await client.request(CreateProbeDocument, {
    input: { name: "load", kind: "system.load", interval: "10s", rules: { attempts: 1, recoveries: 1 } },
  });
  const probeId = unwrap(createProbe).probe!.id;
  const agents = await Promise.all(
    Array.from({ length: AGENTS }, (_, i) => SimulatedAgent.enrol(client, server.url, `agent-${i}`)),
  );
  await Promise.all(agents.map((agent) => agent.connect()));
  const listeners = Array.from({ length: SUBSCRIBERS }, () =>
    createClient({ url: server.url, token: ADMIN_TOKEN, random: () => 0.1 }),
  );
  const {
    rows: [start],
  } = await query(database.url, "SELECT epoch, head FROM event_head");
  const after = Buffer.from(`v1:${start.epoch}:${start.head}`).toString("base64url");
  const recorders = listeners.map((listener) => new EventRecorder(listener, after));

  // Every second batch of an agent fails and every other recovers, so that events flow while results do.
  const reporting = new AbortController();
  const report = async (agent: SimulatedAgent, n: number) => {
    for (let round = 0; !reporting.signal.aborted; round++) {
      agent.report(
        Array.from({ length: 20 }, (_, i) => outcome(probeId, `thing-${(n + i) % 3}`, round % 2 === 0 ? "OK" : "CRIT")),
      );
      await expect.poll(() => agent.acked >= agent.reported - 200, { timeout: 60_000, interval: 5 }).toBe(true);
      await new Promise(setImmediate);
    }
  };
  const load = agents.map(report);
  for (let kill = 0; kill < ROUNDS; kill++) {
    const before = recorders[0]!.events.length;
    await expect
      .poll(() => recorders[0]!.events.length, { timeout: 30_000, interval: 5 })
      .toBeGreaterThan(before + 100);
    await server.kill9();
    await server.start();
  }
  const before = recorders[0]!.events.length;
  await expect.poll(() => recorders[0]!.events.length, { timeout: 30_000 }).toBeGreaterThan(before + 50);
  reporting.abort();
  await Promise.all(load);
  await expect.poll(() => agents.every((agent) => agent.acked === agent.reported), { timeout: 60_000 }).toBe(true);
  const last = unwrap(
    (await client.request(RaiseIncidentDocument, { input: { title: "the end", severity: "P3" } })).raiseIncident,
  );
  await Promise.all(
    recorders.map((recorder) =>
      recorder.find(
        "the end",
        ({ type, incidentId }) => type === "incident.raised" && incidentId === last.incident!.id,
        30_000,
      ),
    ),
  );

  const { rows: stored } = await query(
    database.url,
    "SELECT agent_id, count(*)::int AS rows, count(DISTINCT seq)::int AS seqs, max(seq)::int AS last FROM probe_results GROUP BY agent_id",
  );
  expect(new Map(stored.map((row) => [row.agent_id, row]))).toEqual(
    new Map(agents.map(({ id, reported }) => [id, { agent_id: id, rows: reported, seqs: reported, last: reported }])),
  );
  const { rows: log } = await query(database.url, "SELECT seq::int, type FROM events WHERE seq > $1 ORDER BY seq", [
    start.head,
  ]);
  expect(log.map((row) => row.seq)).toEqual(log.map((_, i) => Number(start.head) + 1 + i));
  for (const recorder of recorders) {
    expect(recorder.events.map(({ cursor, type }) => ({ seq: seqOf(cursor), type }))).toEqual(
      log.slice(0, recorder.events.length),
    );
    expect(seqOf(recorder.events.at(-1)!.cursor)).toBeGreaterThanOrEqual(
      seqOf(recorders[0]!.events.find(({ incidentId }) => incidentId === last.incident!.id)!.cursor),
    );
  }

  for (const recorder of recorders) await recorder[Symbol.asyncDispose]();
  await Promise.all([...listeners, ...agents].map((peer) => peer.close()));
}, 180_000);

const outcome = (probeId: string, item: string, status: "OK" | "CRIT"): Result => ({
  probeId,
  item,
  at: Date.now(),
  durationMs: 1,
  status,
  summary: `it is ${status}`,
  metrics: { value: [1, "1"] },
  evidence: null,
});

const seqOf = (cursor: string): number => Number(Buffer.from(cursor, "base64url").toString().split(":")[2]);

async function query(url: string, text: string, values: unknown[] = []) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await client.query(text, values);
  } finally {
    await client.end();
  }
}
