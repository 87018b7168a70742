import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commands } from "./checks/commands.js";
import { eventsCheck } from "./checks/events.js";
import { results } from "./checks/results.js";
import { arm, isArmed } from "./crash-points.js";
import { live, operate } from "./life.js";
import { NUMBERED_FIRST, type PlantedBug } from "./planted-bugs.js";
import { createRandom } from "./random.js";
import { createStory } from "./story.js";
import { buildWorld, type World } from "./world.js";

const TIMEOUT = 600_000;
const PATIENCE = { timeout: TIMEOUT / 4, interval: 250 };

let world: World & AsyncDisposable;
const withWorld = (bugs: PlantedBug[]) => {
  beforeAll(async () => {
    const story = createStory(() => {});
    world = await buildWorld({ random: createRandom(1), story, bugs, hosts: 1, crowd: 6, subscribers: 2 });
  }, TIMEOUT);
  afterAll(() => world?.[Symbol.asyncDispose](), TIMEOUT);
};

describe.skipIf(process.platform !== "linux")("the checker notices", () => {
  withWorld(["ack before commit", "fencing token not checked"]);

  test(
    "a fencing token that nobody checks",
    async () =>
      expect(await deliverStaleCommand()).toContainEqual(expect.stringMatching(/token 1 acted after token 2/)),
    TIMEOUT,
  );

  test(
    "an ack that does not wait for the commit",
    async () => {
      const lost = expect.stringMatching(/\d+ results were acknowledged, \d+ are stored/);
      expect(await crashInTheFlush()).toContainEqual(lost);
    },
    TIMEOUT,
  );

  test(
    "events that are numbered before their transaction is over",
    async () => {
      await world.database.query(NUMBERED_FIRST);
      await using _life = live(world, createRandom(1));
      const check = eventsCheck();
      const gap = expect.stringMatching(/^subscriber-\d got event \d+ after \d+/);
      await expect.poll(async () => (await check(world)).violations, PATIENCE).toContainEqual(gap);
    },
    TIMEOUT,
  );
});

describe.skipIf(process.platform !== "linux")("nothing is noticed", () => {
  withWorld([]);

  test(
    "when a command comes after a newer one on its target: it does not act",
    async () => expect(await deliverStaleCommand()).toEqual([]),
    TIMEOUT,
  );

  test(
    "when a server crashes before the commit: it has acknowledged nothing of it",
    async () => expect(await crashInTheFlush()).toEqual([]),
    TIMEOUT,
  );
});

async function crashInTheFlush(): Promise<string[]> {
  await using _life = live(world, createRandom(1));
  const point = "flush before its commit";
  for (const { points } of world.replicas) await arm(points, point);
  await expect.poll(() => world.replicas.some(({ points }) => !isArmed(points, point)), PATIENCE).toBe(true);
  return (await results(world)).violations;
}

/** The first repair is kept back on its way until the second one, which the server made after giving the first up, is over. */
async function deliverStaleCommand(): Promise<string[]> {
  const [host] = world.hosts as [World["hosts"][0]];
  const { mischief } = host.link;
  const statuses = async () =>
    (await world.database.query<{ status: string }>("SELECT status FROM remediation_runs ORDER BY requested_at")).map(
      ({ status }) => status,
    );
  mischief.keepBack = (text) => text.includes("REMEDIATE");
  await expect.poll(() => operate(world).then(statuses), PATIENCE).toEqual(["QUEUED"]);
  await expect.poll(() => mischief.kept.length, PATIENCE).toBe(1);
  mischief.keepBack = () => false;
  await world.database.query("UPDATE agent_commands SET start_by = now() - interval '1 min' WHERE kind = 'REMEDIATE'");
  await expect.poll(() => operate(world).then(statuses), PATIENCE).toEqual(["EXPIRED", "SUCCEEDED"]);

  for (const deliver of mischief.kept.splice(0)) deliver();
  const ends = () =>
    world.database.query("SELECT FROM agent_commands WHERE kind = 'REMEDIATE' AND ended_at IS NOT NULL");
  await expect.poll(async () => (await ends()).length, PATIENCE).toBe(2);
  return (await commands(world)).violations;
}
