import {
  type Client,
  CreateProbeDocument,
  createClient,
  RaiseIncidentDocument,
  RunProbeDocument,
  unwrap,
} from "@poppo-ops/client";
import { describe, expect, test } from "vitest";
import { natsHints } from "../../../packages/api/src/db/nats-hints.js";
import { postgresHints, type RemoteHints } from "../../../packages/api/src/db/postgres-hints.js";
import { startNatsCluster, whyNoNats } from "../../../packages/api/src/db/testing/nats-server.js";
import { type TestDatabase, testDatabase } from "../../../packages/api/src/db/testing/test-database.js";
import { type TestServer, testServer } from "../../../packages/api/src/http/testing/test-server.js";
import { CommandBook } from "../../harness/command-book.js";
import { DatabaseRecord } from "../../harness/database-record.js";
import { EventRecorder } from "../../harness/event-recorder.js";
import { SimulatedAgent } from "../../harness/simulated-agent.js";
import { tcpBalancer } from "../../harness/tcp-balancer.js";
import { atScale, PEERS } from "./scale.js";

const REPLICAS = 3;
const INCIDENTS = atScale(100, 1000);
const AT_ONCE = 4;
const COMMANDED = 10;
/** Hints that each replica must hear before it counts as being told. */
const HEARD = 5;
const DROPPED = 0.3;

type Bus = (...given: Parameters<typeof postgresHints>) => RemoteHints;

/** What the bus itself does, whatever the replicas find by their polls. */
interface Told {
  /** Each replica hears what happens on the others from now on. */
  hintsArrive(): Promise<void>;
  /** Nobody hears anything, although as much happens. */
  noHintArrives(): Promise<void>;
}

/** Three replicas whose bus loses 30 % of all hints; agents with commands, and subscribers, on all of them by way of a balancer. */
async function listenWhile(bus: Bus, meanwhile: (told: Told) => Promise<void>): Promise<void> {
  await using database = await testDatabase();
  let dropped = 0;
  const heard = Array<number>(REPLICAS).fill(0);
  const replicas: TestServer[] = [];
  for (let i = 0; i < REPLICAS; i++)
    replicas.push(
      await replica(database, bus, {
        onDrop: () => dropped++,
        onHear: () => heard[i]!++,
      }),
    );
  try {
    await using balancer = await tcpBalancer(replicas.map(({ url }) => url));
    await using record = await DatabaseRecord.open(database.url);
    const begin = await record.cursor();
    const token = replicas[0]!.adminToken;
    const clients = Array.from({ length: PEERS }, () => createClient({ url: balancer.url, token }));
    const direct = replicas.map(({ url }) => createClient({ url, token }));
    const recorders = clients.map((client) => new EventRecorder(client, begin));
    const raise = async (title: string, client = clients[0]!) => {
      const { raiseIncident } = await client.request(RaiseIncidentDocument, { input: { title, severity: "P3" } });
      return unwrap(raiseIncident).incident!.id;
    };
    const everyReplicaRaises = () => Promise.all(direct.map((client, i) => raise(`by replica ${i}`, client)));
    const told: Told = {
      async hintsArrive() {
        const before = [...heard];
        const more = async () => {
          await everyReplicaRaises();
          return Math.min(...heard.map((count, i) => count - before[i]!));
        };
        await expect.poll(more, { timeout: 60_000 }).toBeGreaterThan(HEARD);
      },
      async noHintArrives() {
        await everyReplicaRaises();
        const before = [...heard];
        for (let i = 0; i < HEARD; i++) await everyReplicaRaises();
        expect(heard).toEqual(before);
      },
    };
    const raising = (async () => {
      for (let i = 0; i < INCIDENTS; i += AT_ONCE)
        await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => raise(`incident ${i + n}`)));
    })();
    await using agents = await Commanded.start(database, balancer.url, clients[0]!);
    await agents.command();
    await Promise.all([raising, meanwhile(told).then(() => agents.command())]);
    const last = await raise("the end");
    await Promise.all(recorders.map((r) => r.find("the end", ({ incidentId }) => incidentId === last, 60_000)));
    await agents.expectEnds();
    await record.expectWholeLog(begin, recorders);
    for (const { url } of replicas) expect(balancer.traffic.get(url)!.admittedAt.length).toBeGreaterThan(PEERS / 6);
    expect(dropped).toBeGreaterThan(INCIDENTS * DROPPED * 0.5);
    for (const recorder of recorders) await recorder[Symbol.asyncDispose]();
    await Promise.all([...clients, ...direct].map((client) => client.close()));
  } finally {
    for (const server of replicas) await server[Symbol.asyncDispose]();
  }
}

/** Agents that are told what to do by whichever replica is asked, and are with whichever the balancer chose. */
class Commanded implements AsyncDisposable {
  private issued = 0;

  private constructor(
    private readonly client: Client,
    private readonly probeId: string,
    private readonly agents: SimulatedAgent[],
    private readonly books: CommandBook[],
  ) {}

  static async start({ url: databaseUrl }: TestDatabase, url: string, client: Client): Promise<Commanded> {
    const { createProbe } = await client.request(CreateProbeDocument, { input: { name: "load", kind: "system.load" } });
    const agents = await SimulatedAgent.enrolMany(databaseUrl, url, COMMANDED, "agent");
    const books = agents.map((agent) => new CommandBook(agent));
    await Promise.all(agents.map((agent) => agent.connect()));
    return new Commanded(client, unwrap(createProbe).probe!.id, agents, books);
  }

  async command(): Promise<void> {
    for (const { id: agentId } of this.agents) {
      unwrap((await this.client.request(RunProbeDocument, { input: { agentId, probeId: this.probeId } })).runProbe);
      this.issued++;
    }
  }

  /** Every command ends, and its end is taken once. */
  async expectEnds(): Promise<void> {
    const ends = () => this.books.flatMap(({ accepted }) => [...accepted.values()]);
    await expect.poll(ends, { timeout: 60_000 }).toEqual(Array(this.issued).fill(1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.close()));
  }
}

const replica = (
  database: TestDatabase,
  bus: Bus,
  { onDrop, onHear }: { onDrop(): void; onHear(): void },
): Promise<TestServer> =>
  testServer({
    database,
    connectionsPerSecond: PEERS,
    hints(parts) {
      const hints = bus(parts, database.url);
      hints.subscribe((_, isOwn) => isOwn || onHear());
      return { ...hints, publish: (topic) => (Math.random() < DROPPED ? onDrop() : hints.publish(topic)) };
    },
  });

const TIMEOUT_MS = atScale(300_000, 900_000);

test(
  `three replicas lose 30 % of their hints by LISTEN/NOTIFY: ${PEERS} subscribers see every event, once and in order, and every command ends once`,
  () => listenWhile(postgresHints, ({ hintsArrive }) => hintsArrive()),
  TIMEOUT_MS,
);

describe.skipIf(whyNoNats())("by NATS", () => {
  test(
    "the same, while the nodes of a cluster are lost one after the other, until none is left, and come back",
    async () => {
      const nodes = await startNatsCluster();
      try {
        const urls = nodes.map(({ url }) => url).join(",");
        await listenWhile(
          (parts) => natsHints(parts, urls),
          async ({ hintsArrive, noHintArrives }) => {
            for (const node of nodes) {
              await hintsArrive();
              await node.kill();
            }
            await noHintArrives();
            for (const node of nodes.toReversed()) {
              await node.start();
              await hintsArrive();
            }
          },
        );
      } finally {
        await Promise.all(nodes.map((node) => node.kill()));
      }
    },
    TIMEOUT_MS,
  );
});
