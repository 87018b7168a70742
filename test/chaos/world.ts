import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Client, createClient } from "@poppo-ops/client";
import { fakeEngine } from "../harness/fake-engine.js";
import { type FaultProxy, faultProxy } from "../harness/fault-proxy.js";
import type { Link } from "../harness/link.js";
import { NeverReader } from "../harness/never-reader.js";
import { ADMIN_TOKEN } from "../harness/server-process.js";
import { SimulatedAgent } from "../harness/simulated-agent.js";
import { type ChaosDatabase, startChaosDatabase } from "./database.js";
import type { PlantedBug } from "./planted-bugs.js";
import { CONTAINERS, createProbes, type Probes } from "./probes.js";
import { type Host, type Replica, type Surroundings, startHost, startReplica } from "./processes.js";
import type { Random } from "./random.js";
import type { Story } from "./story.js";
import { cursorOf, SubscriberLedger } from "./subscriber-ledger.js";
import { makeWorker } from "./worker.js";

export interface WorldOptions {
  random: Random;
  story: Story;
  hosts?: number;
  crowd?: number;
  subscribers?: number;
  stormSize?: number;
  bugs?: PlantedBug[];
}

/** As many batches as a real agent has under way. */
export const CROWD_WINDOW = 2;

/** A host that nobody could reach while it acted. */
export interface Isolation {
  host: string;
  link: FaultProxy;
  commandId: string;
  isOver: boolean;
  /** The act was under way when it was over, long after its lease. */
  wentOn: boolean;
}

/** Everything that a run breaks, and that its checker looks at. */
export interface World {
  folder: string;
  database: ChaosDatabase;
  replicas: Replica[];
  hosts: Host[];
  crowd: SimulatedAgent[];
  crowdLink: FaultProxy;
  subscribers: SubscriberLedger[];
  subscriberLink: FaultProxy;
  /** How many more subscribers a reconnect storm has. */
  stormSize: number;
  neverReaders: NeverReader[];
  probes: Probes;
  isolations: Isolation[];
  /** At which points something else than the process broke. */
  reached: string[];
  /** What agents did that no fault explains; emptied by the checker. */
  complaints: string[];
  /** Asks one server after the other until one answers. @throws when none does */
  ask<Answer>(request: (client: Client) => Promise<Answer>): Promise<Answer>;
}

/** Healing this link would end an isolation early. */
export const isIsolated = ({ isolations }: World, link: Link): boolean =>
  isolations.some((isolation) => isolation.link === link && !isolation.isOver);

/** Two replicas on one database, hosts with real agents, a crowd of simulated ones, and subscribers. */
export async function buildWorld(options: WorldOptions): Promise<World & AsyncDisposable> {
  const owned: AsyncDisposable[] = [];
  const own: Surroundings["own"] = (thing) => {
    owned.push(thing);
    return thing;
  };
  const dispose = async () => {
    for (const thing of owned.reverse()) await thing[Symbol.asyncDispose]();
  };
  try {
    return Object.assign(await build(options, own), { [Symbol.asyncDispose]: dispose });
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function build(options: WorldOptions, own: Surroundings["own"]): Promise<World> {
  // Short, for sockets, and open to the account that runs PostgreSQL when we are root.
  const folder = await mkdtemp("/tmp/poppo-chaos-");
  own({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
  await chmod(folder, 0o755);
  const complaints: string[] = [];
  const around = { ...options, folder, own, complain: (text: string) => void complaints.push(text) };
  const database = own(await startChaosDatabase(join(folder, "db")));
  const replicas = await Promise.all(names("server", 2).map((name) => startReplica(name, database, around)));
  const { server } = replicas[0]!;
  const targets = () => replicas.map((replica) => replica.server.url);
  const link = async (name: string) => own(await faultProxy({ targets, random: options.random.branch(name).next }));

  const sites = await Promise.all(
    names("host", options.hosts ?? 3).map(async (name) => ({
      name,
      link: await link(name),
      engine: own(await fakeEngine(join(folder, `${name}.sock`), CONTAINERS)),
      worker: own(await makeWorker(folder, name)),
    })),
  );
  const probes = await createProbes(server.client, sites);
  const hosts = await Promise.all(sites.map((site) => startHost(site, server, around)));

  const crowdLink = await link("crowd");
  const crowd: SimulatedAgent[] = [];
  for (const name of names("crowd", options.crowd ?? 20))
    crowd.push(await SimulatedAgent.enrol(server.client, crowdLink.url, name));
  for (const agent of crowd) {
    agent.window = CROWD_WINDOW;
    own({ [Symbol.asyncDispose]: () => agent.close() });
  }
  await Promise.all(crowd.map((agent) => agent.connect()));

  const subscriberLink = await link("subscribers");
  const [after] = await database.query<{ epoch: string; head: number }>("SELECT epoch, head::int FROM event_head");
  const subscribers = names("subscriber", options.subscribers ?? 5).map((name, i) => {
    const client = createClient({ url: subscriberLink.url, token: ADMIN_TOKEN, random: () => 0.1 });
    const family = FAMILIES[i];
    return own(new SubscriberLedger({ name, client, after: after!, isCompared: true, family }));
  });
  const neverReaders = replicas.map((replica) => own(neverReaderOf(replica, database)));
  const ask: World["ask"] = async (request) => {
    let failure: unknown;
    for (const replica of replicas) {
      try {
        return await request(replica.server.client);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
  const { stormSize = 300 } = options;
  return {
    ...{ folder, database, replicas, hosts, probes, complaints, ask },
    ...{ crowd, crowdLink, subscribers, subscriberLink, stormSize, neverReaders, isolations: [], reached: [] },
  };
}

/** What subscribers want to hear of, one after the other; the empty one and all others hear everything. */
const FAMILIES = ["", "", "remediation.", "incident."];

/** Live, where a subscription that is full is cut off at once; or from the beginning, where who stands still is let go after 30 s. */
const SPELLS = [
  { forMs: 10_000, isLive: true },
  { forMs: 45_000, isLive: false },
];
/** So few that it counts as live. */
const LIVE_EVENTS = 150;

function neverReaderOf({ name, keeper, server }: Replica, database: ChaosDatabase): NeverReader {
  let turn = 0;
  return new NeverReader({
    name: `the reader of ${name} that never reads`,
    server: () => ({ url: server.url, pid: server.pid, isUp: keeper.isUp }),
    async nextSpell() {
      const [at] = await database.query<{ epoch: string; head: number }>("SELECT epoch, head::int FROM event_head");
      const { forMs, isLive } = SPELLS[turn++ % SPELLS.length]!;
      return { forMs, after: cursorOf(at!.epoch, isLive ? Math.max(0, at!.head - LIVE_EVENTS) : 0) };
    },
  });
}

const names = (kind: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${kind}-${i + 1}`);
