import { createClient, RaiseIncidentDocument, unwrap } from "@poppo-ops/client";
import { describe, expect, test } from "vitest";
import { natsHints } from "../../../packages/api/src/db/nats-hints.js";
import { postgresHints, type RemoteHints } from "../../../packages/api/src/db/postgres-hints.js";
import { startNatsCluster, whyNoNats } from "../../../packages/api/src/db/testing/nats-server.js";
import { type TestDatabase, testDatabase } from "../../../packages/api/src/db/testing/test-database.js";
import { type TestServer, testServer } from "../../../packages/api/src/http/testing/test-server.js";
import { DatabaseRecord } from "../../harness/database-record.js";
import { EventRecorder } from "../../harness/event-recorder.js";
import { tcpBalancer } from "../../harness/tcp-balancer.js";
import { atScale, PEERS } from "./scale.js";

const REPLICAS = 3;
const INCIDENTS = atScale(100, 1000);
const AT_ONCE = 4;
const DROPPED = 0.3;

type Bus = (...given: Parameters<typeof postgresHints>) => RemoteHints;

/** Three replicas whose bus loses 30 % of all hints, and subscribers on all of them by way of a balancer. */
async function listenWhile(bus: Bus, meanwhile: () => Promise<void>): Promise<void> {
  await using database = await testDatabase();
  let dropped = 0;
  const replicas: TestServer[] = [];
  for (let i = 0; i < REPLICAS; i++) replicas.push(await replica(database, bus, () => dropped++));
  try {
    await using balancer = await tcpBalancer(replicas.map(({ url }) => url));
    await using record = await DatabaseRecord.open(database.url);
    const begin = await record.cursor();
    const token = replicas[0]!.adminToken;
    const clients = Array.from({ length: PEERS }, () => createClient({ url: balancer.url, token }));
    const recorders = clients.map((client) => new EventRecorder(client, begin));
    const raise = async (title: string) => {
      const { raiseIncident } = await clients[0]!.request(RaiseIncidentDocument, { input: { title, severity: "P3" } });
      return unwrap(raiseIncident).incident!.id;
    };
    const raising = (async () => {
      for (let i = 0; i < INCIDENTS; i += AT_ONCE)
        await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => raise(`incident ${i + n}`)));
    })();
    await Promise.all([raising, meanwhile()]);
    const last = await raise("the end");
    await Promise.all(recorders.map((r) => r.find("the end", ({ incidentId }) => incidentId === last, 60_000)));
    await record.expectWholeLog(begin, recorders);
    for (const { url } of replicas) expect(balancer.traffic.get(url)!.admittedAt.length).toBeGreaterThan(PEERS / 6);
    expect(dropped).toBeGreaterThan(INCIDENTS * DROPPED * 0.5);
    for (const recorder of recorders) await recorder[Symbol.asyncDispose]();
    await Promise.all(clients.map((client) => client.close()));
  } finally {
    for (const server of replicas) await server[Symbol.asyncDispose]();
  }
}

const replica = (database: TestDatabase, bus: Bus, onDrop: () => void): Promise<TestServer> =>
  testServer({
    database,
    connectionsPerSecond: PEERS,
    hints(parts) {
      const hints = bus(parts, database.url);
      return { ...hints, publish: (topic) => (Math.random() < DROPPED ? onDrop() : hints.publish(topic)) };
    },
  });

const TIMEOUT_MS = atScale(300_000, 900_000);

test(
  `three replicas lose 30 % of their hints by LISTEN/NOTIFY: ${PEERS} subscribers see every event, once and in order`,
  () => listenWhile(postgresHints, async () => {}),
  TIMEOUT_MS,
);

describe.skipIf(whyNoNats())("by NATS", () => {
  test(
    "the same, while the nodes of a cluster are killed and come back, until none is left for a while",
    async () => {
      const nodes = await startNatsCluster();
      try {
        const urls = nodes.map(({ url }) => url).join(",");
        await listenWhile(
          (parts) => natsHints(parts, urls),
          async () => {
            for (const node of nodes) await node.kill();
            for (const node of nodes) await node.start();
          },
        );
      } finally {
        await Promise.all(nodes.map((node) => node.kill()));
      }
    },
    TIMEOUT_MS,
  );
});
