import { setTimeout as sleep } from "node:timers/promises";
import type { FaultProxy } from "../../harness/fault-proxy.js";
import type { Link } from "../../harness/link.js";
import type { Mischief, MischiefDone } from "../../harness/mischief.js";
import type { Random } from "../random.js";
import { isIsolated, type World } from "../world.js";
import type { Fault, Plan } from "./fault.js";

const REPEAT_AND_OVERTAKE = "repeat and overtake";

/** Paths between agents, subscribers, servers and database break, and messages arrive twice or in another order. */
export const networkFaults: Record<string, Fault> = {
  cut: {
    weight: 3,
    plan: (world, random) => trouble(world, pick(world, random), random.between(200, 4000), (link) => link.cut()),
  },
  "half-open": {
    weight: 2,
    plan: (world, random) => trouble(world, pick(world, random), random.between(500, 6000), (link) => link.halfOpen()),
  },
  delay: {
    weight: 2,
    plan: (world, random) => {
      const delayMs = random.between(20, 800);
      return trouble(world, pick(world, random), random.between(1000, 5000), (link) => link.delay(delayMs));
    },
  },
  [REPEAT_AND_OVERTAKE]: {
    weight: 4,
    plan: (world, random) => {
      const ms = random.between(2000, 8000);
      const everywhere = (chances: Pick<Mischief, "repeat" | "overtake">) => {
        for (const { link } of proxies(world)) Object.assign(link.mischief, chances);
      };
      return {
        description: `messages of everybody for ${ms} ms`,
        async run() {
          everywhere({ repeat: 0.3, overtake: 0.3 });
          await sleep(ms);
          everywhere({ repeat: 0, overtake: 0 });
        },
      };
    },
  },
};

interface Named<Way> {
  name: string;
  link: Way;
}

const proxies = ({ hosts, crowdLink, subscriberLink }: World): Named<FaultProxy>[] => [
  ...hosts,
  { name: "the crowd", link: crowdLink },
  { name: "subscribers", link: subscriberLink },
];

const links = (world: World): Named<Link>[] => [
  ...proxies(world),
  ...world.replicas.map(({ name, database }) => ({ name: `${name} to its database`, link: database })),
];

const pick = (world: World, random: Random): Named<Link> => random.pick(links(world));

function trouble(world: World, { name, link }: Named<Link>, ms: number, begin: (link: Link) => void): Plan {
  return {
    description: `${name} for ${ms} ms`,
    async run() {
      if (!isIsolated(world, link)) begin(link);
      await sleep(ms);
      if (!isIsolated(world, link)) link.heal();
    },
  };
}

/** So often at least before it is odd that it changed nothing. */
const OFTEN = 3;

/** A fault that is planned and never happens would let every run pass. */
export function withoutEffect(world: World, faults: ReadonlyMap<string, number>): string[] {
  const planned = faults.get(REPEAT_AND_OVERTAKE) ?? 0;
  const hasDoubled = proxies(world).some(({ link }) => link.mischief.done.doubledToServer.size > 0);
  return planned < OFTEN || hasDoubled
    ? []
    : [`harness: "${REPEAT_AND_OVERTAKE}" ran ${planned} times and doubled nothing`];
}

/** What really happened to messages, whatever was planned. */
export function tellMischief(world: World): string {
  const sum = (which: keyof MischiefDone): string => {
    const total = new Map<string, number>();
    for (const { link } of proxies(world))
      for (const [name, times] of link.mischief.done[which]) total.set(name, (total.get(name) ?? 0) + times);
    return [...total].map(([name, times]) => `${times} ${name}`).join(", ") || "nothing";
  };
  const delayed = links(world).reduce((total, { link }) => total + link.weather.delayed, 0);
  return `to servers doubled ${sum("doubledToServer")}, overtaken ${sum("overtaken")}; from servers doubled ${sum("doubledToClient")}; delayed ${delayed}`;
}
