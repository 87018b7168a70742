import { setTimeout as sleep } from "node:timers/promises";
import { openWork } from "./checks/commands.js";
import type { World } from "./world.js";

const WITHIN_MS = 180_000;
/** However slowly a busy machine goes on, at some time it must be done. */
const AT_MOST = 4;
const LOOK_EVERY_MS = 250;

/**
 * Waits until everything that was broken has come back by itself: processes run, agents are connected, everything that was
 * reported is acknowledged, subscribers have seen everything, every run and every command has ended. A machine that is busy takes its time; nothing may stand still.
 * @returns what has stood still for that long
 */
export async function calm(world: World, withinMs = WITHIN_MS): Promise<string[]> {
  const heads = await headsOf(world);
  const latest = performance.now() + AT_MOST * withinMs;
  let before = "";
  let deadline = latest;
  for (;;) {
    const missing = [
      ...processes(world),
      ...crowd(world),
      ...subscribers(world, heads),
      ...(await agents(world)),
      ...(await openWork(world)),
    ];
    if (missing.length === 0) return [];
    const now = performance.now();
    if (missing.join() !== before) deadline = Math.min(latest, now + withinMs);
    before = missing.join();
    if (now > deadline) return missing.map((what) => `${what} for ${withinMs / 1000} s after the last fault`);
    await sleep(LOOK_EVERY_MS);
  }
}

const processes = ({ replicas, hosts }: World): string[] =>
  [...replicas, ...hosts].filter(({ keeper }) => !keeper.isUp).map(({ name }) => `${name} was not up`);

const crowd = ({ crowd }: World): string[] =>
  crowd
    .filter(({ acked, reported }) => acked < reported)
    .map(({ name, acked, reported }) => `${name} had only ${acked} of ${reported} results acknowledged`);

const subscribers = ({ subscribers }: World, heads: ReadonlyMap<string, number>): string[] =>
  subscribers
    .filter(({ family, last }) => last < heads.get(family)!)
    .map(({ name, family, last }) => `${name} had seen ${last} of ${heads.get(family)} events`);

/** The last event of each family that somebody subscribed to. */
async function headsOf({ database, subscribers }: World): Promise<Map<string, number>> {
  const rows = await database.query<{ family: string; head: number }>(
    `SELECT family, coalesce(max(e.seq), 0)::int AS head
     FROM unnest($1::text[]) family LEFT JOIN events e ON starts_with(e.type, family) GROUP BY 1`,
    [[...new Set(subscribers.map(({ family }) => family))]],
  );
  return new Map(rows.map(({ family, head }) => [family, head]));
}

async function agents({ database, hosts }: World): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT a.name FROM agents a JOIN agent_sessions s ON s.agent_id = a.id
     WHERE a.id = ANY($1) AND (s.session_id IS NULL OR s.last_seen_at < now() - interval '5 s')`,
    [hosts.map(({ agent }) => agent.id)],
  );
  return rows.map(({ name }) => `${name} was not connected`);
}
