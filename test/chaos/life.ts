import { setTimeout as sleep } from "node:timers/promises";
import {
  ApproveRemediationDocument,
  CancelRemediationDocument,
  RequestRemediationDocument,
  RunProbeDocument,
  unwrap,
} from "@poppo-ops/client";
import type { Result } from "@poppo-ops/plugins/wire";
import type { SimulatedAgent } from "../harness/simulated-agent.js";
import { CONTAINERS } from "./probes.js";
import type { Random } from "./random.js";
import type { World } from "./world.js";

/** What goes on in the world beside the faults: results, things that break, and a person who approves their repair. */
export interface Life extends AsyncDisposable {
  /** Nothing new breaks and the crowd has nothing to report until `resume`: containers are up, workers are repaired. */
  pause(): void;
  resume(): void;
}

const AHEAD = 500;

export function live(world: World, random: Random): Life {
  const stopping = new AbortController();
  let paused = false;
  const unlessPaused = (act: () => Promise<void> | void) => () => paused || act();
  const loop = async (everyMs: number, act: () => unknown) => {
    while (!stopping.signal.aborted) {
      // What cannot be done just now is tried again.
      await Promise.resolve(act()).catch(() => {});
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const wear = random.branch("wear");
  const whims = random.branch("whims");
  const loops = [
    loop(
      200,
      unlessPaused(() => reportOfCrowd(world)),
    ),
    loop(
      700,
      unlessPaused(() => wearOut(world, wear)),
    ),
    loop(
      2000,
      unlessPaused(() => interfere(world, whims)),
    ),
    loop(500, () => operate(world)),
  ];
  return {
    pause: () => {
      paused = true;
      for (const { engine } of world.hosts) for (const name of CONTAINERS) engine.revive(name);
    },
    resume: () => {
      paused = false;
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

function reportOfCrowd({ crowd, probes }: World): void {
  for (const agent of crowd) {
    if (agent.reported - agent.acked <= AHEAD) agent.report(resultsOf(agent, probes.load, 10));
  }
}

/** The next results of an agent. */
export const resultsOf = ({ name, reported }: SimulatedAgent, probeId: string, count: number): Result[] =>
  Array.from({ length: count }, (_, i) => result(probeId, name, reported + 1 + i));

/** Says who it is, so that the checker knows it again. A while good, a while bad: incidents come and go. */
const result = (probeId: string, agentName: string, seq: number): Result => ({
  probeId,
  item: `thing-${seq % 2}`,
  at: Date.now(),
  durationMs: 1,
  status: Math.floor(seq / 200) % 2 === 0 ? "OK" : "CRIT",
  summary: `${agentName} result ${seq}`,
  metrics: null,
  evidence: null,
});

async function wearOut({ hosts }: World, random: Random): Promise<void> {
  const host = random.pick(hosts);
  const isWorker = random.happens(0.4);
  const seconds = random.pick([0.2, 0.3, 1, 4]);
  if (isWorker) await host.worker.takes(seconds).then(host.worker.kill);
  else host.engine.kill(random.pick(CONTAINERS));
}

/** Somebody looks for themselves, or calls a repair off. */
async function interfere({ database, hosts, probes, ask }: World, random: Random): Promise<void> {
  const { name, agent } = random.pick(hosts);
  if (random.happens(0.7)) {
    const input = { agentId: agent.id, probeId: probes.worker.get(name)! };
    await ask(async (client) => unwrap((await client.request(RunProbeDocument, { input })).runProbe));
    return;
  }
  const [run] = await database.query<{ id: string }>(
    "SELECT id FROM remediation_runs WHERE finished_at IS NULL AND NOT automatic ORDER BY requested_at DESC LIMIT 1",
  );
  if (!run) return;
  const input = { id: run.id, reason: "on second thoughts" };
  await ask(async (client) => unwrap((await client.request(CancelRemediationDocument, { input })).cancelRemediation));
}

/** The person on call asks for a repair of every worker that is down, and approves it. */
export async function operate({ database, probes, ask }: World): Promise<void> {
  const incidents = await database.query<{ id: string }>(
    `SELECT i.id FROM incidents i JOIN probe_state s ON s.incident_id = i.id
     WHERE s.probe_id = ANY($1) AND i.status <> 'RESOLVED'
       AND NOT EXISTS (SELECT FROM remediation_runs r WHERE r.agent_id = s.agent_id AND r.probe_id = s.probe_id AND r.finished_at IS NULL)`,
    [[...probes.worker.values()]],
  );
  for (const { id } of incidents)
    await ask(async (client) =>
      unwrap((await client.request(RequestRemediationDocument, { input: { incidentId: id } })).requestRemediation),
    );
  const runs = await database.query<{ id: string }>(
    "SELECT id FROM remediation_runs WHERE status = 'AWAITING_APPROVAL' AND NOT automatic",
  );
  for (const { id } of runs)
    await ask(async (client) =>
      unwrap(
        (await client.request(ApproveRemediationDocument, { input: { id, reason: "it is down" } })).approveRemediation,
      ),
    );
}
