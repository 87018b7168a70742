import { setTimeout as sleep } from "node:timers/promises";
import type { Host, Victim } from "../processes.js";
import { canShiftClocks, shiftClock } from "../shifted-clock.js";
import type { Worker } from "../worker.js";
import type { Isolation, World } from "../world.js";
import type { Fault } from "./fault.js";

/** Longer than a silent agent is waited for. */
const ISOLATED_MS = 140_000;
const BEGUN_WITHIN_MS = 20_000;
const ENDS_WITHIN_MS = 8000;
const LOOK_EVERY_MS = 200;

/** What a host does to its agent: a wrong clock, and being away for so long that its work is given to nobody or anybody. */
export const hostFaults: Record<string, Fault> = {
  clock: {
    weight: canShiftClocks ? 2 : 0,
    plan: ({ hosts, replicas }, random) => {
      const victim = random.pick<Victim>([...hosts, ...replicas]);
      // 300 s is what the server tolerates; now and then it is more.
      const seconds = random.happens(0.15) ? random.pick([-400, 400]) : random.between(-250, 250);
      const ms = random.between(1000, 8000);
      return {
        description: `of ${victim.name} ${seconds} s ahead for ${ms} ms`,
        async run() {
          await shiftClock(victim.clock, seconds);
          await sleep(ms);
          await shiftClock(victim.clock, 0);
        },
      };
    },
  },
  isolation: {
    weight: 1,
    isLong: true,
    plan: (world, random) => {
      const host = random.pick(world.hosts);
      return {
        description: `${host.name} for ${ISOLATED_MS} ms, in the middle of an act`,
        run: () => isolate(world, host),
      };
    },
  },
};

/** Nobody hears of the host, and it hears of nobody, while it acts: its lease ends, and the server gives the run up. */
async function isolate({ isolations }: World, { name, worker, link }: Host): Promise<void> {
  if (isolations.some(({ host, isOver }) => host === name && !isOver)) return;
  const isolation: Isolation = { host: name, link, commandId: "", isOver: false, wentOn: false };
  isolations.push(isolation);
  await worker.hold();
  const earlier = await worker.acting();
  await worker.kill();
  const commandId = await begun(worker, earlier);
  if (commandId) {
    isolation.commandId = commandId;
    link.halfOpen();
    await sleep(ISOLATED_MS);
    isolation.wentOn = (await worker.acting()) === commandId;
  } else isolations.splice(isolations.indexOf(isolation), 1);
  isolation.isOver = true;
  // Also when it was not begun: what another fault did to the link, and might not mend meanwhile, ends here.
  link.heal();
  await worker.release();
}

/** An act that was under way before may still end by itself; if it does not, it is held like those after it. */
async function begun({ acting }: Worker, earlier: string | undefined): Promise<string | undefined> {
  const began = performance.now();
  for (let waited = 0; waited < BEGUN_WITHIN_MS; waited = performance.now() - began) {
    const commandId = await acting();
    if (commandId && (commandId !== earlier || waited > ENDS_WITHIN_MS)) return commandId;
    await sleep(LOOK_EVERY_MS);
  }
  return undefined;
}
