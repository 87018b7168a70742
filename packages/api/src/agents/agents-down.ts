import type { Module } from "../engine/engine.js";
import { type App, systemScope } from "../kernel/app.js";
import { type Act, act } from "../kernel/command.js";
import { type Lost, type Returned, raiseLosses, resolveReturned, splitSmallLosses } from "./agent-losses.js";
import type { Watch } from "./watch.js";

export interface DownOptions {
  /** An agent that was silent for longer is down. Milliseconds. */
  downAfterMs: number;
  /** After a start nobody is declared down before this has passed: agents come back within 64 s. Milliseconds. */
  graceMs: number;
  everyMs: number;
}

/**
 * Declares agents down, and up again, and makes incidents of it (`agent-losses.ts`). One conditional update decides, so of
 * two replicas only one says it.
 */
export const agentsDown = (app: App, watch: Watch, { downAfterMs, graceMs, everyMs }: DownOptions): Module => ({
  name: "agents down",
  batch: Number.POSITIVE_INFINITY,
  everyMs,
  wakeOn: (topic) => topic === "agents",
  step: () =>
    act(systemScope(app, "agents"), async (tools) => {
      // Whoever comes second sees what the first one decided.
      await tools.client.query("SELECT pg_advisory_xact_lock(hashtext('poppo agents down'))");
      const isWatching = watch.watchedMs >= Math.max(downAfterMs, graceMs);
      const downed = isWatching ? await declareDown(tools, downAfterMs) : [];
      const upped = await declareUp(tools, downAfterMs);
      await raiseLosses(tools, downed);
      await splitSmallLosses(tools);
      await resolveReturned(tools, upped);
      return downed.length + upped.length;
    }),
});

async function declareDown({ client }: Act, downAfterMs: number): Promise<Lost[]> {
  const { rows } = await client.query(
    `UPDATE agents a SET status = 'DOWN', down_incident_id = NULL, down_since = coalesce(s.last_seen_at, a.enrolled_at)
     FROM agent_sessions s
     WHERE s.agent_id = a.id AND a.status IN ('ONLINE', 'OFFLINE')
       AND coalesce(s.last_seen_at, a.enrolled_at) < now() - make_interval(secs => $1)
     RETURNING a.id, a.name, a.down_since AS since`,
    [downAfterMs / 1000],
  );
  return rows;
}

async function declareUp({ client }: Act, downAfterMs: number): Promise<Returned[]> {
  const { rows } = await client.query(
    `UPDATE agents a SET status = CASE WHEN s.session_id IS NULL THEN 'OFFLINE' ELSE 'ONLINE' END FROM agent_sessions s
     WHERE s.agent_id = a.id AND a.status = 'DOWN' AND s.last_seen_at >= now() - make_interval(secs => $1)
     RETURNING a.id, a.name, a.down_incident_id AS "incidentId"`,
    [downAfterMs / 1000],
  );
  return rows;
}
