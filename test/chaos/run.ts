import { setTimeout as sleep } from "node:timers/promises";
import { calm } from "./calm.js";
import type { Check, Finding } from "./checks/check.js";
import { commands } from "./checks/commands.js";
import { eventsCheck } from "./checks/events.js";
import { results } from "./checks/results.js";
import { planFault } from "./faults.js";
import { type Life, live } from "./life.js";
import type { PlantedBug } from "./planted-bugs.js";
import { createRandom } from "./random.js";
import { createStory, type Story } from "./story.js";
import { buildWorld, type World } from "./world.js";

export interface ChaosOptions {
  seed: number;
  /** How long things are broken. */
  forMs: number;
  /** How often everything is mended, waited for and verified. */
  verifyEveryMs?: number;
  bug?: PlantedBug;
  kinds?: string[];
  write(line: string): void;
}

export interface Report {
  seed: number;
  /** By invariant. */
  findings: Map<string, Finding>;
  faults: ReadonlyMap<string, number>;
  violations: string[];
}

/** Breaks everything at random, and everything can be repeated but for the timing of the machine. */
export async function runChaos({
  seed,
  forMs,
  verifyEveryMs = 60_000,
  bug,
  kinds,
  write,
}: ChaosOptions): Promise<Report> {
  const random = createRandom(seed);
  const story = createStory(write);
  story.tell(`seed ${seed}`);
  await using world = await buildWorld({ random, story, bug });
  story.tell("the world is up");
  const checks: Record<string, Check> = { results, events: eventsCheck(), commands };
  const findings = new Map<string, Finding>();
  const violations: string[] = [];
  await using life = live(world, random.branch("life"));
  const faults = random.branch("faults");
  const end = performance.now() + forMs;
  while (performance.now() < end && violations.length === 0) {
    await breakThings(world, faults, story, Math.min(end, performance.now() + verifyEveryMs), kinds);
    violations.push(...(await settle(world, life, story)));
    for (const [name, check] of Object.entries(checks)) {
      const finding = await check(world);
      findings.set(name, finding);
      violations.push(...finding.violations.map((text) => `${name}: ${text}`));
    }
    story.tell([...findings].map(([name, { verified }]) => `${name}: ${verified}`).join(" · "));
    life.resume();
  }
  for (const violation of violations) story.tell(`VIOLATION ${violation}`);
  return { seed, findings, faults: story.counts, violations };
}

const AT_ONCE = 4;

async function breakThings(
  world: World,
  random: ReturnType<typeof createRandom>,
  story: Story,
  until: number,
  kinds?: string[],
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  while (performance.now() < until) {
    const fault = planFault(world, random, kinds);
    const pauseMs = random.between(100, 1500);
    story.count(fault.kind);
    story.tell(`${fault.kind}: ${fault.description}`);
    const running = fault.run().finally(() => underWay.delete(running));
    underWay.add(running);
    if (underWay.size >= AT_ONCE) await Promise.race(underWay);
    await sleep(pauseMs);
  }
  await Promise.all(underWay);
}

/** @returns what did not come back */
async function settle(world: World, life: Life, story: Story): Promise<string[]> {
  life.pause();
  const began = story.seconds();
  const missing = await calm(world);
  story.tell(`calm after ${(story.seconds() - began).toFixed(1)} s`);
  return missing.map((what) => `recovery: ${what}`);
}
