import { and, eq, gt, inArray, isNull, lte, or, sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../db/database.js";
import { type Act, command } from "../kernel/command.js";
import { duration } from "../kernel/durations.js";
import { processing, remediationRuns as runs } from "./remediation.table.js";
import { ACTING_RUN_STATUSES } from "./run.state.js";

export type Processing = Pick<typeof processing.$inferSelect, "paused" | "reason" | "owner" | "since" | "until">;

const DAY = 86_400_000;

/**
 * The kill switch: from the moment it commits no remediation begins, on no replica, and none that was let begin before is
 * given to its agent any more. What runs goes on, because stopping an act half-way is worse than its end; it can be
 * cancelled one by one.
 */
export const pauseProcessing = command({
  permission: "processing:pause",
  input: z.object({
    reason: z.string().trim().min(1).max(500).describe("Shown to everyone whose remediation is refused."),
    for: duration(1000, 7 * DAY)
      .optional()
      .describe("Resumes by itself after this long, at most 7d; absent: it does not."),
  }),
  async run({ db, now, scope, emit }, { reason, for: ms }) {
    const owner = scope.principal.name;
    const until = ms ? new Date(now.getTime() + ms) : null;
    const [changed] = await db.update(processing).set({ paused: true, reason, owner, since: now, until }).returning();
    const underWay = await countUnderWay(db);
    emit({
      type: "processing.paused",
      summary: `${owner} paused processing${until ? ` until ${until.toISOString()}` : ""}: ${reason}. ${underWay} under way ${underWay === 1 ? "goes" : "go"} on.`,
      payload: { reason, until, underWay },
    });
    return { processing: changed! };
  },
});

/** Does nothing when it is not paused. */
export const resumeProcessing = command({
  permission: "processing:pause",
  input: z.object({}),
  async run(act) {
    await resume(act, eq(processing.paused, true), `${act.scope.principal.name} resumed processing`);
    return { processing: await readProcessing(act.db) };
  },
});

/** Ends a pause whose time is over. @returns how many */
export const resumeExpired = (act: Act): Promise<number> =>
  resume(
    act,
    and(eq(processing.paused, true), lte(processing.until, act.now)),
    "The pause is over; processing goes on",
  );

async function resume({ db, emit }: Act, where: ReturnType<typeof and>, summary: string): Promise<number> {
  const resumed = await db
    .update(processing)
    .set({ paused: false, reason: null, owner: null, since: null, until: null })
    .where(where)
    .returning();
  if (resumed.length > 0) emit({ type: "processing.resumed", summary });
  return resumed.length;
}

/** The state of the kill switch now: a pause whose time is over is none. */
export async function readProcessing(db: Db): Promise<Processing> {
  const inForce = and(eq(processing.paused, true), or(isNull(processing.until), gt(processing.until, sql`now()`)));
  const [row] = await db.select().from(processing).where(inForce);
  return row ?? { paused: false, reason: null, owner: null, since: null, until: null };
}

async function countUnderWay(db: Db): Promise<number> {
  const [row] = await db
    .select({ count: sql<number>`count(*)::int` })
    .from(runs)
    .where(inArray(runs.status, [...ACTING_RUN_STATUSES]));
  return row!.count;
}
