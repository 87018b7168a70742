import { setTimeout as sleep } from "node:timers/promises";
import { arm, CRASH_POINTS, disarm } from "../crash-points.js";
import type { Victim } from "../processes.js";
import type { World } from "../world.js";
import type { Fault } from "./fault.js";

/** How long a crash point stays armed when nobody comes by. */
const ARMED_MS = 8000;

/** Servers, agents and the database end, at any time or at a named point, or stand still for a while. */
export const processFaults: Record<string, Fault> = {
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
  "crash point": {
    weight: 5,
    plan: (world, random) => {
      const { name, side } = random.pick(CRASH_POINTS);
      const victim = random.pick<Victim>(side === "server" ? world.replicas : world.hosts);
      return {
        description: `${victim.name}: ${name}`,
        async run() {
          await arm(victim.points, name);
          await sleep(ARMED_MS);
          await disarm(victim.points, name);
        },
      };
    },
  },
  "database kill -9": {
    weight: 1,
    plan: ({ database }) => ({ description: "postmaster", run: async () => database.kill9() }),
  },
  "database backend kill -9": {
    weight: 1,
    plan: ({ database }, random) => {
      const place = random.next();
      return {
        description: "one of its processes",
        async run() {
          const [, ...backends] = await database.processes();
          signal(backends.slice(Math.floor(place * backends.length)).slice(0, 1), "SIGKILL");
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
};

const victims = ({ replicas, hosts }: World): Victim[] => [...replicas, ...hosts];

async function freeze(pids: number[], ms: number): Promise<void> {
  signal(pids, "SIGSTOP");
  await sleep(ms);
  signal(pids, "SIGCONT");
}

function signal(pids: number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended a moment ago.
    }
  }
}
