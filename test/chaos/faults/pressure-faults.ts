import { setTimeout as sleep } from "node:timers/promises";
import { createClient, PauseProcessingDocument, ResumeProcessingDocument, unwrap } from "@poppo-ops/client";
import { ADMIN_TOKEN } from "../../harness/server-process.js";
import type { SimulatedAgent } from "../../harness/simulated-agent.js";
import { resultsOf } from "../life.js";
import { SubscriberLedger } from "../subscriber-ledger.js";
import { CROWD_WINDOW, type World } from "../world.js";
import type { Fault } from "./fault.js";

/** As many operations as one socket may have under way, nearly, where an agent should have two. */
const FLOOD_WINDOW = 150;
const FLOOD_MS = 5000;
const STORM_PAUSE_MS = 3000;

/** What clients and people do to a server: more than it asked for, all at once, and the kill switch. */
export const pressureFaults: Record<string, Fault> = {
  flood: {
    weight: 1,
    plan: ({ crowd, probes }, random) => {
      const agent = random.pick(crowd);
      const results = random.between(5_000, 30_000);
      return {
        description: `${agent.name} sends ${results} results without waiting for an ack`,
        run: () => flood(agent, probes.load, results),
      };
    },
  },
  "reconnect storm": {
    weight: 1,
    plan: (world) => ({
      description: `${world.stormSize} subscribers lose their connections at once, and return`,
      run: () => storm(world),
    }),
  },
  "kill switch": {
    weight: 1,
    plan: (world, random) => {
      const ms = random.between(1000, 6000);
      return { description: `for ${ms} ms`, run: () => pause(world, ms) };
    },
  },
};

async function flood(agent: SimulatedAgent, probeId: string, count: number): Promise<void> {
  agent.window = FLOOD_WINDOW;
  agent.report(resultsOf(agent, probeId, count));
  await sleep(FLOOD_MS);
  agent.window = CROWD_WINDOW;
}

async function storm({ database, subscriberLink, stormSize, complaints }: World): Promise<void> {
  const [at] = await database.query<{ epoch: string; head: number }>("SELECT epoch, head::int FROM event_head");
  const crowd = Array.from({ length: stormSize }, (_, i) => {
    const client = createClient({ url: subscriberLink.url, token: ADMIN_TOKEN, random: () => 0.1 });
    return new SubscriberLedger({ name: `storm-${i + 1}`, client, after: at!, isCompared: false });
  });
  for (let round = 0; round < 2; round++) {
    await sleep(STORM_PAUSE_MS);
    subscriberLink.cut();
    subscriberLink.heal();
  }
  await sleep(STORM_PAUSE_MS);
  await Promise.all(crowd.map((subscriber) => subscriber[Symbol.asyncDispose]()));
  complaints.push(...crowd.flatMap(({ violations }) => violations));
}

/** A pause that nobody takes back would end all repairs, so taking it back is tried until it succeeds. */
async function pause({ ask }: World, ms: number): Promise<void> {
  const input = { reason: "chaos" };
  await ask(async (client) => unwrap((await client.request(PauseProcessingDocument, { input })).pauseProcessing)).catch(
    () => {},
  );
  await sleep(ms);
  const resume = () =>
    ask(async (client) => unwrap((await client.request(ResumeProcessingDocument, { input: {} })).resumeProcessing));
  while (!(await resume().catch(() => false))) await sleep(200);
}
