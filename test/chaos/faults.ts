import { setTimeout as sleep } from "node:timers/promises";
import { PauseProcessingDocument, ResumeProcessingDocument, unwrap } from "@poppo-ops/client";
import { canShiftClocks, shiftClock } from "./agent-clock.js";
import { arm, CRASH_POINTS, disarm } from "./crash-points.js";
import { flood, isolate, storm } from "./pressure.js";
import type { Victim } from "./processes.js";
import type { Random } from "./random.js";
import type { World } from "./world.js";

/** A fault that has been decided on, so that its seed repeats it; what it meets is another matter. */
export interface PlannedFault {
  kind: string;
  /** One line for the story. */
  description: string;
  /** Does it, and mends what does not mend itself. */
  run(): Promise<void>;
}

type Plan = (world: World, random: Random) => Omit<PlannedFault, "kind">;

interface Fault {
  /** How often it happens, in relation to the others. */
  weight: number;
  /** Takes minutes, which a short run has not. */
  isLong?: boolean;
  plan: Plan;
}

const FAULTS: Record<string, Fault> = {
  "kill -9": {
    weight: 5,
    plan: (world, random) => {
      const victim = random.pick(victims(world));
      return { description: victim.name, run: async () => signal([victim.pid], "SIGKILL") };
    },
  },
  stop: {
    weight: 2,
    plan: (world, random) => {
      const victim = random.pick(victims(world));
      return { description: victim.name, run: () => victim.stop() };
    },
  },
  freeze: {
    weight: 3,
    plan: (world, random) => {
      const victim = random.pick(victims(world));
      const ms = random.between(300, 4000);
      return { description: `${victim.name} for ${ms} ms`, run: () => freeze([victim.pid], ms) };
    },
  },
  "database kill -9": {
    weight: 1,
    plan: ({ database }) => ({ description: "postmaster", run: async () => database.kill9() }),
  },
  "database backend kill -9": {
    weight: 1,
    plan: ({ database }, random) => {
      const chance = random.next();
      return {
        description: "one of its processes",
        async run() {
          const [, ...backends] = await database.processes();
          signal(backends.slice(Math.floor(chance * backends.length)).slice(0, 1), "SIGKILL");
        },
      };
    },
  },
  "database freeze": {
    weight: 1,
    plan: ({ database }, random) => {
      const ms = random.between(300, 3000);
      return { description: `for ${ms} ms`, run: async () => freeze(await database.processes(), ms) };
    },
  },
  cut: { weight: 3, plan: (world, random) => trouble(world, random, 200, 4000, (link) => link.cut()) },
  "half-open": { weight: 2, plan: (world, random) => trouble(world, random, 500, 6000, (link) => link.halfOpen()) },
  delay: {
    weight: 2,
    plan: (world, random) => {
      const delayMs = random.between(20, 800);
      return trouble(world, random, 1000, 5000, (link) => link.delay(delayMs));
    },
  },
  "repeat and overtake": {
    weight: 4,
    plan: (world, random) => {
      const { name, link } = random.pick(proxies(world));
      const ms = random.between(1000, 6000);
      return {
        description: `messages of ${name} for ${ms} ms`,
        async run() {
          Object.assign(link.mischief, { repeat: 0.3, overtake: 0.3 });
          await sleep(ms);
          Object.assign(link.mischief, { repeat: 0, overtake: 0 });
        },
      };
    },
  },
  clock: {
    weight: canShiftClocks ? 2 : 0,
    plan: ({ hosts }, random) => {
      const host = random.pick(hosts);
      // 300 s is what the server tolerates; now and then it is more.
      const seconds = random.happens(0.15) ? random.pick([-400, 400]) : random.between(-250, 250);
      const ms = random.between(1000, 8000);
      return {
        description: `of ${host.name} ${seconds} s ahead for ${ms} ms`,
        async run() {
          await shiftClock(host.clock, seconds);
          await sleep(ms);
          await shiftClock(host.clock, 0);
        },
      };
    },
  },
  "crash point": {
    weight: 5,
    plan: (world, random) => {
      const { name, side } = random.pick(CRASH_POINTS);
      const victim = random.pick<Victim>(side === "server" ? world.replicas : world.hosts);
      return {
        description: `${victim.name}: ${name}`,
        async run() {
          await arm(victim.points, name);
          await sleep(8000);
          await disarm(victim.points, name);
        },
      };
    },
  },
  "kill switch": {
    weight: 1,
    plan: ({ ask }, random) => {
      const ms = random.between(1000, 6000);
      return {
        description: `for ${ms} ms`,
        async run() {
          await ask(async (client) =>
            unwrap((await client.request(PauseProcessingDocument, { input: { reason: "chaos" } })).pauseProcessing),
          ).catch(() => {});
          await sleep(ms);
          await insist(() =>
            ask(async (client) =>
              unwrap((await client.request(ResumeProcessingDocument, { input: {} })).resumeProcessing),
            ),
          );
        },
      };
    },
  },
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
  isolation: {
    weight: 1,
    isLong: true,
    plan: ({ hosts }, random) => {
      const host = random.pick(hosts);
      return { description: `${host.name} for 140 s, in the middle of an act`, run: () => isolate(host, 140_000) };
    },
  },
};

/** The kinds of faults for a run of this length. */
export const faultKinds = ({ long }: { long: boolean }): string[] =>
  Object.keys(FAULTS).filter((kind) => FAULTS[kind]!.weight > 0 && (long || !FAULTS[kind]!.isLong));

/** Decides what happens next. Draws the same from `random` whatever the world is like just now. */
export function planFault(world: World, random: Random, kinds: readonly string[]): PlannedFault {
  const lots = kinds.flatMap((kind) => new Array<string>(FAULTS[kind]!.weight).fill(kind));
  const kind = random.pick(lots);
  return { kind, ...FAULTS[kind]!.plan(world, random) };
}

const victims = ({ replicas, hosts }: World): Victim[] => [...replicas, ...hosts];

const proxies = ({ hosts, crowdLink, subscriberLink }: World) => [
  ...hosts,
  { name: "the crowd", link: crowdLink },
  { name: "subscribers", link: subscriberLink },
];

type AnyLink = World["replicas"][number]["database"];

function trouble(world: World, random: Random, minMs: number, maxMs: number, begin: (link: AnyLink) => void) {
  const links = [
    ...proxies(world).map(({ name, link }) => ({ name, link: link as AnyLink })),
    ...world.replicas.map(({ name, database }) => ({ name: `${name} to its database`, link: database })),
  ];
  const { name, link } = random.pick(links);
  const ms = random.between(minMs, maxMs);
  return {
    description: `${name} for ${ms} ms`,
    async run() {
      begin(link);
      await sleep(ms);
      link.heal();
    },
  };
}

async function freeze(pids: number[], ms: number): Promise<void> {
  signal(pids, "SIGSTOP");
  await sleep(ms);
  signal(pids, "SIGCONT");
}

/** A process may have ended a moment ago. */
function signal(pids: number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {}
  }
}

async function insist(act: () => Promise<unknown>): Promise<void> {
  for (let done = false; !done; ) {
    done = await act().then(
      () => true,
      () => false,
    );
    if (!done) await sleep(200);
  }
}
