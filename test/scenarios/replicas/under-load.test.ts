import { setTimeout as sleep } from "node:timers/promises";
import { RunProbeDocument, unwrap } from "@poppo-ops/client";
import { expect, test } from "vitest";
import { CommandBook } from "../../harness/command-book.js";
import { Crowd } from "../../harness/crowd.js";
import { startReplicas } from "../../harness/replica-set.js";
import { busiest } from "../../harness/tcp-balancer.js";
import { atScale, PEERS } from "./scale.js";

const LOAD = atScale({ everyMs: 500, batch: 10, changing: 20 }, { everyMs: 10_000, batch: 20, changing: 200 });
const SERVED_MS = atScale(90_000, 300_000);
const TIMEOUT_MS = atScale(300_000, 1_800_000);

const CONNECTIONS_PER_SECOND = Math.max(6, PEERS / 10);
const LIMITED = { POPPO_CONNECTIONS_PER_SECOND: String(CONNECTIONS_PER_SECOND) };

test(
  `three replicas restart one after the other under ${PEERS} agents and ${PEERS} subscribers: nothing is lost, nobody is called down, and no storm exceeds the admission limit`,
  async () => {
    await using set = await startReplicas(3, LIMITED);
    await using crowd = await Crowd.gather(set, {
      ...{ agents: PEERS, subscribers: PEERS, random: Math.random, ...LOAD },
    });
    await crowd.everybodyIsServed(SERVED_MS);
    const refusedBefore = set.replicas.map((replica) => set.trafficOf(replica).refused);
    for (const replica of set.replicas) {
      await replica.stop();
      await replica.start();
      await crowd.everybodyIsServed(SERVED_MS);
    }
    await crowd.quiet(SERVED_MS);
    await crowd.everybodyHears(SERVED_MS);
    await crowd.expectNothingLost();

    const traffic = set.replicas.map((replica) => set.trafficOf(replica));
    console.info(
      `sessions per second at most ${traffic.map((t) => busiest(t)).join(", ")} (limit ${CONNECTIONS_PER_SECOND}); ` +
        `${traffic.map((t, i) => t.refused - refusedBefore[i]!).join(", ")} refused`,
    );
    // Seen from outside, what was let in at the ends of a second may arrive within less than one. Without a limit each
    // replica takes up its third of everybody at once, which is more than three times the limit.
    for (const t of traffic) expect(busiest(t)).toBeLessThanOrEqual(2 * CONNECTIONS_PER_SECOND);
    expect(traffic.some((t, i) => t.refused > refusedBefore[i]!)).toBe(true);
  },
  TIMEOUT_MS,
);

/** In the short form clients notice a silent server after 6 s instead of 15, so that it need not be frozen for long. */
const KEEP_ALIVE = atScale({ keepAliveMs: 4000 }, {});
const FROZEN_MS = atScale(0, 60_000);
const COMMANDED = 15;

test(
  `a replica freezes for ${atScale("as long as its agents need to move", "a minute")} and wakes up: nothing is lost or written under an old session, no command ends twice`,
  async () => {
    await using set = await startReplicas(3, LIMITED);
    await using crowd = await Crowd.gather(set, {
      ...{ agents: PEERS, subscribers: PEERS, random: Math.random, ...KEEP_ALIVE, ...LOAD },
    });
    const books = crowd.agents.map((agent) => new CommandBook(agent));
    const [frozen, awake] = [set.replicas[0]!, set.replicas[1]!];
    const command = () =>
      Promise.all(
        crowd.agents.slice(0, COMMANDED).map(async ({ id: agentId }) => {
          const input = { agentId, probeId: crowd.probeId };
          unwrap((await awake.client.request(RunProbeDocument, { input })).runProbe);
        }),
      );
    await crowd.everybodyIsServed(SERVED_MS);

    // Commands are on their way to the replica while it stops in the middle of whatever it does.
    const commanding = command();
    process.kill(frozen.pid, "SIGSTOP");
    try {
      await Promise.all([commanding, sleep(FROZEN_MS)]);
      await command();
      await crowd.everybodyIsServed(SERVED_MS);
      await expect
        .poll(() => crowd.record.query("SELECT count(*)::int AS open FROM agent_commands WHERE ended_at IS NULL"), {
          timeout: SERVED_MS,
        })
        .toEqual([{ open: 0 }]);
    } finally {
      process.kill(frozen.pid, "SIGCONT");
    }
    await expect.poll(() => isHealthy(frozen.url), { timeout: SERVED_MS }).toBe(true);
    await crowd.everybodyIsServed(SERVED_MS);
    await crowd.quiet(SERVED_MS);
    await crowd.everybodyHears(SERVED_MS);

    await crowd.expectNothingLost();
    const ends = books.flatMap(({ accepted }) => [...accepted.values()]);
    expect(ends).toEqual(Array(2 * COMMANDED).fill(1));
    const [moved] = await crowd.record.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM events WHERE type = 'agent.connected'",
    );
    console.info(`${moved!.count - PEERS} sessions moved`);
    expect(moved!.count - PEERS).toBeGreaterThan(PEERS / 6);
  },
  TIMEOUT_MS,
);

const isHealthy = (url: string): Promise<boolean> =>
  fetch(`${url}/health`, { signal: AbortSignal.timeout(1000) }).then(
    ({ ok }) => ok,
    () => false,
  );
