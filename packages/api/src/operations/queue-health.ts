import type { Express } from "express";
import { publicQuery } from "../db/public-query.js";
import type { App } from "../kernel/app.js";
import type { EngineCycles } from "./engine-cycles.js";

/** Work that is due for longer than this says that nobody does it. */
const MAX_LAG_MS = 10_000;

interface Queue {
  pending: number;
  running: number;
  paused: boolean;
  lagMs: number;
  now: Date;
}

/** Live runs, and for how long the oldest piece of work that is due has been waiting for the engine. */
const QUEUE = `
  SELECT count(*) FILTER (WHERE r.status IN ('AWAITING_APPROVAL', 'QUEUED'))::int AS pending,
         count(*) FILTER (WHERE r.status IN ('RUNNING', 'VERIFYING'))::int AS running,
         (SELECT paused AND coalesce(until > now(), true) FROM processing) AS paused,
         round(greatest(0, extract(epoch FROM now() - least(
           min(c.ended_at) FILTER (WHERE r.status IN ('QUEUED', 'RUNNING')),
           min(r.verify_by) FILTER (WHERE r.status = 'VERIFYING'),
           (SELECT min(snoozed_until) FROM incidents WHERE status = 'SNOOZED'),
           (SELECT until FROM processing WHERE paused)))) * 1000)::int AS "lagMs",
         now() AS now
  FROM remediation_runs r LEFT JOIN agent_commands c ON c.id = r.command_id
  WHERE r.finished_at IS NULL`;

/**
 * `GET /health/queue`: 200 while the engine turns and nothing due is left lying, else 503. Every module's last whole round
 * counts, so a single one that hangs is seen.
 */
export function queueHealthRoute(web: Express, app: App, cycles: EngineCycles): void {
  const read = publicQuery(app, () => readQueue(app));
  web.get("/health/queue", async (_request, response) => {
    const queue = await read().catch(() => null);
    if (!queue) return void response.status(503).json({ status: "unhealthy", reason: "the database does not answer" });
    const { now, ...counts } = queue;
    const behind = cycles.behind();
    const reasons = [
      ...behind.map(({ name, ageMs }) => `"${name}" has not finished a round for ${Math.round(ageMs / 1000)} s`),
      ...(queue.lagMs > MAX_LAG_MS ? [`work is due for ${Math.round(queue.lagMs / 1000)} s`] : []),
    ];
    response.status(reasons.length > 0 ? 503 : 200).json({
      status: reasons.length > 0 ? "unhealthy" : "healthy",
      ...(reasons.length > 0 && { reason: reasons.join("; ") }),
      ...counts,
      modules: cycles.count,
      modulesBehind: behind.length,
      lastCheck: now.toISOString(),
    });
  });
}

async function readQueue({ database }: App): Promise<Queue> {
  const { rows } = await database.pool.query<Queue>(QUEUE);
  const queue = rows[0]!;
  return { ...queue, lagMs: queue.lagMs ?? 0 };
}
