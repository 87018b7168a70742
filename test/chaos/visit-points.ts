import { setTimeout as sleep } from "node:timers/promises";
import { arm, CRASH_POINTS, type CrashPoint, disarm, isArmed } from "./crash-points.js";
import type { Victim } from "./processes.js";
import type { Story } from "./story.js";
import type { World } from "./world.js";

/** Some points are only in a repair, and those who are to repair end all the time. */
const REACHED_WITHIN_MS = 600_000;
const LOOK_EVERY_MS = 50;

/** Lets a process end once at every crash point, servers and agents side by side. @returns the points that nobody reached */
export async function visitEveryPoint(world: World, story: Story, signal?: AbortSignal): Promise<string[]> {
  const visitAll = async (side: CrashPoint["side"], victims: Victim[]) => {
    const unreached: string[] = [];
    for (const point of CRASH_POINTS.filter((one) => one.side === side)) {
      if (signal?.aborted) break;
      await whenUp(victims);
      if (!(await visit(point, victims, story))) unreached.push(point.name);
    }
    return unreached;
  };
  return (await Promise.all([visitAll("server", world.replicas), visitAll("agent", world.hosts)])).flat();
}

async function whenUp(victims: Victim[]): Promise<void> {
  while (victims.some(({ keeper }) => !keeper.isUp)) await sleep(LOOK_EVERY_MS);
}

/** Armed everywhere, because who gets there is a matter of chance; the first one that does takes it from the others. */
async function visit({ name }: CrashPoint, victims: Victim[], story: Story): Promise<boolean> {
  await Promise.all(victims.map(({ points }) => arm(points, name)));
  const deadline = performance.now() + REACHED_WITHIN_MS;
  const reachedBy = () => victims.find(({ points }) => !isArmed(points, name));
  while (!reachedBy() && performance.now() < deadline) await sleep(LOOK_EVERY_MS);
  const victim = reachedBy();
  await Promise.all(victims.map(({ points }) => disarm(points, name)));
  story.tell(victim ? `crash point: ${victim.name}: ${name}` : `nobody has reached: ${name}`);
  if (victim) story.count("crash point");
  return victim !== undefined;
}
