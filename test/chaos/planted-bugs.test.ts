import { expect, test } from "vitest";
import { commands } from "./checks/commands.js";
import { eventsCheck } from "./checks/events.js";
import { results } from "./checks/results.js";
import { arm, isArmed } from "./crash-points.js";
import { live, operate } from "./life.js";
import { PLANTED_BUGS, type PlantedBug } from "./planted-bugs.js";
import { createRandom } from "./random.js";
import { createStory } from "./story.js";
import { buildWorld, type World } from "./world.js";

const PATIENCE = { timeout: 120_000, interval: 250 };
const small = { random: createRandom(1), story: createStory(() => {}), hosts: 1, crowd: 6, subscribers: 2 };

async function crashInTheFlush(bug?: PlantedBug) {
  await using world = await buildWorld({ ...small, bug });
  await using _life = live(world, small.random);
  const [{ points }] = world.replicas as [World["replicas"][0]];
  await arm(points, "flush before its commit");
  await expect.poll(() => isArmed(points, "flush before its commit"), PATIENCE).toBe(false);
  return (await results(world)).violations;
}

test("an ack that does not wait for the commit is noticed", async () => {
  expect(await crashInTheFlush("ack before commit")).toContainEqual(
    expect.stringMatching(/results were acknowledged, \d+ are stored/),
  );
}, 300_000);

test("a server that crashes in the flush has acknowledged nothing of it", async () => {
  expect(await crashInTheFlush()).toEqual([]);
}, 300_000);

test("events that are numbered before their transaction is over are noticed", async () => {
  await using world = await buildWorld(small);
  await world.database.query(PLANTED_BUGS["sequence taken first"].sql!);
  await using _life = live(world, small.random);
  const check = eventsCheck();
  await expect
    .poll(async () => (await check(world)).violations, PATIENCE)
    .toContainEqual(expect.stringMatching(/^subscriber-\d got event \d+ after \d+/));
}, 300_000);

/** The first repair is kept back on its way until the second one, which the server made after giving the first up, is over. */
async function deliverStaleCommand(bug?: PlantedBug) {
  await using world = await buildWorld({ ...small, crowd: 1, bug });
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

test("a fencing token that nobody checks is noticed", async () => {
  expect(await deliverStaleCommand("fencing token not checked")).toContainEqual(
    expect.stringMatching(/with token 1 acted after token 2/),
  );
}, 300_000);

test("a command that comes after a newer one on its target does not act", async () => {
  expect(await deliverStaleCommand()).toEqual([]);
}, 300_000);
