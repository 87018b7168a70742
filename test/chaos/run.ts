import { cp, mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { calm } from "./calm.js";
import { acts } from "./checks/acts.js";
import { boundsCheck } from "./checks/bounds.js";
import type { Check, Finding } from "./checks/check.js";
import { commands } from "./checks/commands.js";
import { eventsCheck } from "./checks/events.js";
import { policy } from "./checks/policy.js";
import { results } from "./checks/results.js";
import { tellMischief, withoutEffect } from "./faults/network-faults.js";
import { faultKinds, planFault } from "./faults.js";
import { type Life, live } from "./life.js";
import { createRandom, type Random } from "./random.js";
import { createStory, type Story } from "./story.js";
import { visitEveryPoint } from "./visit-points.js";
import { Watch } from "./watch.js";
import { buildWorld, type World, type WorldOptions } from "./world.js";

export interface ChaosOptions {
  seed: number;
  /** How long things are broken, and the points visited: at least 20 s at random. */
  forMs: number;
  /** How often everything is mended, waited for and verified. */
  verifyEveryMs?: number;
  /** First let a process end once at every crash point. */
  everyPoint?: boolean;
  /** Only these kinds of faults. */
  kinds?: string[];
  /** Smaller than usual. */
  size?: Pick<WorldOptions, "hosts" | "crowd" | "subscribers" | "stormSize">;
  /** Ends the run early; what was found until then counts. */
  signal?: AbortSignal;
  write(line: string): void;
}

export interface Report {
  seed: number;
  /** By invariant. */
  findings: ReadonlyMap<string, Finding>;
  faults: ReadonlyMap<string, number>;
  /** What really happened to messages. */
  mischief: string;
  violations: string[];
}

/** However long it took to visit the points. */
const AT_RANDOM_MS = 20_000;
/** From here on a run has time for faults that take minutes. */
const LONG_MS = 10 * 60_000;

/** Breaks everything at random and verifies what is promised. The seed repeats what was done to it. */
export async function runChaos({ write, ...options }: ChaosOptions): Promise<Report> {
  const { seed, forMs, verifyEveryMs = 60_000, everyPoint, signal } = options;
  const kinds = options.kinds ?? faultKinds({ long: forMs >= LONG_MS });
  const random = createRandom(seed);
  const story = createStory(write);
  story.tell(`seed ${seed}`);
  await using world = await buildWorld({ random, story, ...options.size });
  await using watch = new Watch(world);
  await using life = live(world, random.branch("life"));
  story.tell("the world is up");
  const verifier = new Verifier(world, life, story, checksOf(watch));

  const began = performance.now();
  if (everyPoint) {
    const unreached = await visitEveryPoint(world, story, signal);
    await verifier.verify(unreached.map((name) => `crash points: nobody reached "${name}"`));
  }
  const faults = random.branch("faults");
  const end = Math.max(began + forMs, performance.now() + AT_RANDOM_MS);
  while (performance.now() < end && !signal?.aborted && verifier.violations.length === 0) {
    await breakThings({
      world,
      random: faults,
      story,
      kinds,
      signal,
      until: Math.min(end, performance.now() + verifyEveryMs),
    });
    await verifier.verify();
  }
  const { findings } = verifier;
  const violations = [...verifier.violations, ...withoutEffect(world, story.counts)];
  if (violations.length > 0) story.tell(`the logs are kept in ${await keepLogs(world, seed)}`);
  return {
    seed,
    findings,
    faults: story.counts,
    mischief: `${tellMischief(world)}; at ${new Set(world.reached).size} points something else broke`,
    violations,
  };
}

/** What processes and services have written, out of the folder that goes. */
async function keepLogs({ folder }: World, seed: number): Promise<string> {
  const kept = await mkdtemp(join(tmpdir(), `poppo-chaos-seed-${seed}-`));
  for (const name of await readdir(folder))
    if (/\.(log|acts)$/.test(name)) await cp(join(folder, name), join(kept, name));
  return kept;
}

const checksOf = ({ peaks }: Watch): Record<string, Check> => ({
  results,
  events: eventsCheck(),
  commands,
  policy,
  acts,
  bounds: boundsCheck(peaks),
});

/** Lets everything come back, and looks at it. */
class Verifier {
  readonly findings = new Map<string, Finding>();
  readonly violations: string[] = [];

  constructor(
    private readonly world: World,
    private readonly life: Life,
    private readonly story: Story,
    private readonly checks: Record<string, Check>,
  ) {}

  async verify(found: string[] = []): Promise<void> {
    this.life.pause();
    const began = this.story.seconds();
    const missing = await calm(this.world);
    this.story.tell(`calm after ${(this.story.seconds() - began).toFixed(1)} s`);
    found.push(...missing.map((what) => `recovery: ${what}`));
    for (const [name, check] of Object.entries(this.checks)) {
      const finding = await check(this.world);
      this.findings.set(name, finding);
      this.story.tell(`  ${name}: ${finding.verified}`);
      found.push(...finding.violations.map((text) => `${name}: ${text}`));
    }
    for (const violation of found) this.story.tell(`VIOLATION ${violation}`);
    this.violations.push(...found);
    this.life.resume();
  }
}

interface Breaking {
  world: World;
  random: Random;
  story: Story;
  until: number;
  kinds: string[];
  signal?: AbortSignal;
}

const AT_ONCE = 4;

async function breakThings({ world, random, story, until, kinds, signal }: Breaking): Promise<void> {
  const underWay = new Set<Promise<void>>();
  while (performance.now() < until && !signal?.aborted) {
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
