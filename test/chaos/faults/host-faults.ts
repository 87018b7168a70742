import { setTimeout as sleep } from "node:timers/promises";
import { canShiftClocks, shiftClock } from "../agent-clock.js";
import type { Host } from "../processes.js";
import { QUICK_S } from "../worker.js";
import type { Fault } from "./fault.js";

/** Longer than a silent agent is waited for. */
const ISOLATED_MS = 140_000;

/** What a host does to its agent: a wrong clock, and being away for so long that its work is given to nobody or anybody. */
export const hostFaults: Record<string, Fault> = {
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
  isolation: {
    weight: 1,
    isLong: true,
    plan: ({ hosts }, random) => {
      const host = random.pick(hosts);
      return { description: `${host.name} for ${ISOLATED_MS} ms, in the middle of an act`, run: () => isolate(host) };
    },
  },
};

/** Nobody hears of the host, and it hears of nobody, while it acts: its lease ends, and the server gives the run up. */
async function isolate({ worker, link }: Host): Promise<void> {
  await worker.takes(ISOLATED_MS / 1000);
  await worker.kill();
  await sleep(8000);
  link.halfOpen();
  await sleep(ISOLATED_MS);
  await worker.takes(QUICK_S);
  link.heal();
}
