import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@poppo-ops/client";
import { ADMIN_TOKEN } from "../harness/server-process.js";
import type { SimulatedAgent } from "../harness/simulated-agent.js";
import { resultsOf } from "./life.js";
import type { Host } from "./processes.js";
import { SubscriberLedger } from "./subscriber-ledger.js";
import { QUICK_S } from "./worker.js";
import type { World } from "./world.js";

/** As many operations as one socket may have under way, where an agent should have two. */
const FLOOD_WINDOW = 150;
const FLOOD_MS = 5000;

/** An agent that does not wait for its acks, and has much to say. */
export async function flood(agent: SimulatedAgent, probeId: string, count: number): Promise<void> {
  agent.window = FLOOD_WINDOW;
  agent.report(resultsOf(agent, probeId, count));
  await sleep(FLOOD_MS);
  agent.window = 1;
}

/** Many subscribers that lose their connections in one moment, twice. */
export async function storm(world: World): Promise<void> {
  const { database, subscriberLink, stormSize, complaints } = world;
  const [at] = await database.query<{ epoch: string; head: number }>("SELECT epoch, head::int FROM event_head");
  const crowd = Array.from({ length: stormSize }, (_, i) => {
    const client = createClient({ url: subscriberLink.url, token: ADMIN_TOKEN, random: () => 0.1 });
    return new SubscriberLedger(`storm-${i + 1}`, client, at!.head, at!.epoch, false);
  });
  for (let round = 0; round < 2; round++) {
    await sleep(3000);
    subscriberLink.cut();
    subscriberLink.heal();
  }
  await sleep(3000);
  await Promise.all(crowd.map((subscriber) => subscriber[Symbol.asyncDispose]()));
  complaints.push(...crowd.flatMap(({ violations }) => violations));
}

/** Nobody hears of the host, and it hears of nobody, while it acts: its lease ends, and the server gives the run up. */
export async function isolate({ worker, link }: Host, forMs: number): Promise<void> {
  await worker.takes(forMs / 1000);
  await worker.kill();
  await sleep(8000);
  link.halfOpen();
  await sleep(forMs);
  await worker.takes(QUICK_S);
  link.heal();
}
