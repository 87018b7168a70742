import type { Watch } from "../agents/watch.js";
import type { Module } from "../engine/engine.js";
import { type App, systemScope } from "../kernel/app.js";
import { type Act, act } from "../kernel/command.js";
import { countFailedFixes } from "./breaker.js";
import { moveRuns } from "./move-runs.js";
import { leaseOf, nextMove, type RunView } from "./next-move.js";
import { runViewReader } from "./run-views.js";

const BATCH = 1000;
/** A lease is written again only when it has grown by this much. */
const RENEWAL_MS = 10_000;
const TOPICS = ["commands", "states", "incident.resolved", "incident.merged"];

type ReadViews = ReturnType<typeof runViewReader>;

/**
 * Lets live runs follow their commands, their agents and their probes: one read, one pure decision each, one write.
 * @param watch since when agents could be heard: before that their silence says nothing
 */
export function followRuns(app: App, watch: Watch): Module {
  const read = runViewReader(app.database.db, BATCH);
  return {
    name: "follow remediation runs",
    batch: BATCH,
    everyMs: 1000,
    wakeOn: (topic) => TOPICS.includes(topic),
    step: () => followUntilAllWait(app, watch, read),
  };
}

/** A run may take several steps at once: it had started and ended before anybody looked. */
async function followUntilAllWait(app: App, watch: Watch, read: ReadViews): Promise<number> {
  let steps = 0;
  for (let moved = -1; moved !== 0; steps += moved) moved = await followOnce(app, watch, read);
  return steps;
}

async function followOnce(app: App, watch: Watch, read: ReadViews): Promise<number> {
  const { now, views } = await read();
  const moves = views.flatMap((view) => nextMove(view, now, watch.watchedMs) ?? []);
  const grown = views.flatMap((view) => renewal(view) ?? []);
  if (moves.length === 0 && grown.length === 0) return 0;
  return act(systemScope(app, "remediation"), async (tools) => {
    await renewLeases(tools, grown);
    const moved = await moveRuns(tools, moves);
    const failed = moved.filter(({ status }) => status === "DID_NOT_HELP");
    await countFailedFixes(
      tools,
      failed.map((run) => ({ run, why: views.find(({ id }) => id === run.id)?.state?.summary ?? "no report" })),
    );
    return moved.length;
  });
}

interface Renewal {
  id: string;
  until: Date;
}

function renewal(view: RunView): Renewal | null {
  const until = leaseOf(view);
  if (!until || until.getTime() - (view.leaseUntil?.getTime() ?? 0) < RENEWAL_MS) return null;
  return { id: view.id, until };
}

async function renewLeases({ client }: Act, renewals: Renewal[]): Promise<void> {
  if (renewals.length === 0) return;
  await client.query(
    `WITH renewed AS (
       UPDATE remediation_runs r SET lease_until = g.until FROM unnest($1::uuid[], $2::timestamptz[]) AS g(id, until)
       WHERE r.id = g.id AND r.status = 'RUNNING' RETURNING r.id, r.agent_id, r.target, r.lease_until)
     UPDATE target_locks l SET lease_until = r.lease_until FROM renewed r
     WHERE l.agent_id = r.agent_id AND l.target = r.target AND l.run_id = r.id`,
    [renewals.map(({ id }) => id), renewals.map(({ until }) => until)],
  );
}
