import { expect, test } from "vitest";
import { Crowd } from "../../harness/crowd.js";
import { startReplicas } from "../../harness/replica-set.js";
import { busiest } from "../../harness/tcp-balancer.js";
import { atScale } from "./scale.js";

const PEERS = atScale(40, 1000);
const CONNECTIONS_PER_SECOND = atScale(8, 100);
const SERVED_MS = atScale(60_000, 180_000);

test(
  `three replicas restart one after the other under ${PEERS} agents and ${PEERS} subscribers: nothing is lost, nobody is called down, and no storm exceeds the admission limit`,
  async () => {
    await using set = await startReplicas(3, { POPPO_CONNECTIONS_PER_SECOND: String(CONNECTIONS_PER_SECOND) });
    await using crowd = await Crowd.gather(set, {
      ...{ agents: PEERS, subscribers: PEERS, random: Math.random },
      ...atScale({ everyMs: 500, batch: 10 }, { everyMs: 2000, batch: 10 }),
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
    // Seen from outside, what was let in within a second may arrive within less; over ten seconds that evens out.
    for (const t of traffic) expect(busiest(t, 10_000)).toBeLessThanOrEqual(11 * CONNECTIONS_PER_SECOND);
    expect(traffic.some((t, i) => t.refused > refusedBefore[i]!)).toBe(true);
  },
  atScale(180_000, 1_200_000),
);
