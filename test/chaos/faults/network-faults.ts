import { setTimeout as sleep } from "node:timers/promises";
import type { FaultProxy } from "../../harness/fault-proxy.js";
import type { Link } from "../../harness/link.js";
import type { Random } from "../random.js";
import type { World } from "../world.js";
import type { Fault, Plan } from "./fault.js";

/** Paths between agents, subscribers, servers and database break, and messages arrive twice or in another order. */
export const networkFaults: Record<string, Fault> = {
  cut: {
    weight: 3,
    plan: (world, random) => trouble(pick(world, random), random.between(200, 4000), (link) => link.cut()),
  },
  "half-open": {
    weight: 2,
    plan: (world, random) => trouble(pick(world, random), random.between(500, 6000), (link) => link.halfOpen()),
  },
  delay: {
    weight: 2,
    plan: (world, random) => {
      const delayMs = random.between(20, 800);
      return trouble(pick(world, random), random.between(1000, 5000), (link) => link.delay(delayMs));
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

const pick = (world: World, random: Random): Named<Link> =>
  random.pick<Named<Link>>([
    ...proxies(world),
    ...world.replicas.map(({ name, database }) => ({ name: `${name} to its database`, link: database })),
  ]);

const trouble = ({ name, link }: Named<Link>, ms: number, begin: (link: Link) => void): Plan => ({
  description: `${name} for ${ms} ms`,
  async run() {
    begin(link);
    await sleep(ms);
    link.heal();
  },
});
