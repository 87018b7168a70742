import { inArray, sql } from "drizzle-orm";
import type { Act } from "../kernel/command.js";
import { type RemediationRunRow, remediationRuns as runs } from "./remediation.table.js";
import { ALLOWED_STEPS, isTerminal, type RunStatus } from "./run.state.js";
import { onTimelines } from "./run-event.js";

/** A step of one run, with the event that tells of it. */
export interface Move {
  id: string;
  /** Where it was seen: what was decided there holds nowhere else. */
  from: RunStatus;
  to: RunStatus;
  event: { type: string; summary: string; payload?: Record<string, unknown> };
  commandId?: string;
  decidedBy?: string;
  reason?: string | null;
  startedAt?: Date;
  verifyBy?: Date;
  verifyAfter?: Date;
  leaseUntil?: Date;
  summary?: string | null;
  survivors?: number[] | null;
}

const steps = sql`jsonb_to_recordset`;
const COLUMNS = sql.raw(
  `step(id uuid, "from" text, "to" text, finished boolean, "commandId" uuid, "decidedBy" text, reason text,
   "startedAt" timestamptz, "verifyBy" timestamptz, "verifyAfter" timestamptz, "leaseUntil" timestamptz, summary text, survivors jsonb)`,
);
const given = (name: string) => sql.raw(`step."${name}"`);
const orKeep = (name: keyof typeof runs.$inferSelect) => sql`coalesce(${given(name)}, ${runs[name]})`;

/**
 * The only writer of a run's status after it was made. One conditional update: a run moves only from where it was seen,
 * so exactly one terminal status is ever recorded, and none that was decided on another. Gives back the target of what
 * has ended.
 * @returns the runs that moved
 */
export async function moveRuns(act: Act, moves: Move[]): Promise<RemediationRunRow[]> {
  if (moves.length === 0) return [];
  const rows = await update(act, moves);
  const byId = new Map(rows.map((row) => [row.id, row]));
  const moved = moves.flatMap((move) => (byId.has(move.id) ? { move, run: byId.get(move.id)! } : []));
  await followWithLocks(act, [...byId.keys()]);
  const events = await onTimelines(
    act.db,
    moved.map(({ move, run }) => ({ run, ...move.event })),
  );
  for (const event of events) act.emit(event);
  for (const { id } of rows) act.hint(`output:${id}`);
  act.afterCommit(() => countEnded(act, rows));
  return moved.map(({ run }) => run);
}

function countEnded({ scope }: Act, rows: RemediationRunRow[]): void {
  for (const { status } of rows) if (isTerminal(status)) scope.app.metrics.remediations.ended.inc({ status });
}

function update({ db, now }: Act, moves: Move[]): Promise<RemediationRunRow[]> {
  const json = JSON.stringify(moves.map(({ event, ...move }) => ({ ...move, finished: isTerminal(move.to) })));
  return db
    .update(runs)
    .set({
      status: sql`${given("to")}`,
      commandId: orKeep("commandId"),
      decidedBy: orKeep("decidedBy"),
      reason: orKeep("reason"),
      startedAt: orKeep("startedAt"),
      verifyBy: orKeep("verifyBy"),
      verifyAfter: orKeep("verifyAfter"),
      leaseUntil: orKeep("leaseUntil"),
      summary: orKeep("summary"),
      survivors: orKeep("survivors"),
      finishedAt: sql`case when ${given("finished")} then ${now.toISOString()}::timestamptz end`,
    })
    .from(sql`${steps}(${json}::jsonb) AS ${COLUMNS}`)
    .where(
      sql`${runs.id} = ${given("id")} AND ${runs.status} = ${given("from")}
        AND ${runs.status} || '>' || ${given("to")} = ANY(${sql.param(ALLOWED_STEPS)})`,
    )
    .returning() as unknown as Promise<RemediationRunRow[]>;
}

/** A lock lives as long as its run: the lease goes with it, and its end frees the target. */
async function followWithLocks({ client }: Act, ids: string[]): Promise<void> {
  await client.query(
    `UPDATE target_locks l
     SET run_id = CASE WHEN r.finished_at IS NULL THEN r.id END,
         lease_until = CASE WHEN r.finished_at IS NULL THEN coalesce(r.lease_until, l.lease_until) END
     FROM remediation_runs r
     WHERE r.id = ANY($1) AND l.agent_id = r.agent_id AND l.target = r.target AND l.run_id = r.id`,
    [ids],
  );
}

/** The runs, locked against everybody else who would move them, in the order of their ids. */
export const lockRuns = ({ db }: Act, ids: string[]): Promise<RemediationRunRow[]> =>
  db.select().from(runs).where(inArray(runs.id, ids)).orderBy(runs.id).for("update");
