import { setTimeout as sleep } from "node:timers/promises";
import type { Link } from "../../harness/link.js";
import { arm, CRASH_POINTS, disarm, isArmed } from "../crash-points.js";
import type { Host, Replica, Victim } from "../processes.js";
import { canShiftClocks, shiftClock } from "../shifted-clock.js";
import { isIsolated, type World } from "../world.js";
import type { Fault } from "./fault.js";

/** How long a crash point stays armed when nobody comes by. */
const ARMED_MS = 8000;
const LOOK_EVERY_MS = 20;

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
  "fault at a point": {
    weight: 4,
    plan: (world, random) => {
      const { name, side } = random.pick(CRASH_POINTS);
      const victim = random.pick<Replica | Host>(side === "server" ? world.replicas : world.hosts);
      const what = random.pick(Object.keys(AT_POINT));
      const ms = random.between(300, 4000);
      return {
        description: `${victim.name}: ${name}: ${what} for ${ms} ms`,
        async run() {
          if (isIsolated(world, linkOf(victim))) return;
          if (await breakAtPoint(victim, name, AT_POINT[what]!, ms)) world.reached.push(`${name}: ${what}`);
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

interface Trouble {
  begin(victim: Replica | Host): Promise<void> | void;
  mend(victim: Replica | Host): Promise<void> | void;
}

const FROZEN_MS = 2000;
const linkOf = (victim: Replica | Host): Link => ("database" in victim ? victim.database : victim.link);

/** What breaks while a process stands still at a point, and is still broken when it goes on. */
const AT_POINT: Record<string, Trouble> = {
  "its link is cut": { begin: (victim) => linkOf(victim).cut(), mend: (victim) => linkOf(victim).heal() },
  "its link is half-open": { begin: (victim) => linkOf(victim).halfOpen(), mend: (victim) => linkOf(victim).heal() },
  "it is frozen": { begin: () => sleep(FROZEN_MS), mend: () => {} },
  ...(canShiftClocks && {
    "its clock is set": {
      begin: ({ clock }: Victim) => shiftClock(clock, 250),
      mend: ({ clock }: Victim) => shiftClock(clock, 0),
    },
  }),
};

/** @returns whether anybody came by */
async function breakAtPoint(victim: Replica | Host, name: string, trouble: Trouble, ms: number): Promise<boolean> {
  await arm(victim.points, name, "SIGSTOP");
  for (const until = performance.now() + ARMED_MS; isArmed(victim.points, name); await sleep(LOOK_EVERY_MS))
    if (performance.now() > until) {
      await disarm(victim.points, name);
      return false;
    }
  await trouble.begin(victim);
  signal([victim.pid], "SIGCONT");
  await sleep(ms);
  await trouble.mend(victim);
  // It may have stopped only after it was told to go on.
  signal([victim.pid], "SIGCONT");
  return true;
}

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
