import type { CommandEnd } from "@poppo-ops/plugins/wire";
import { and, eq, isNull, lt, ne, or, sql } from "drizzle-orm";
import { agentCommands, agentSessions, agents } from "../agents/agent.table.js";
import { probeState, probes } from "../agents/probe.table.js";
import type { Db } from "../db/database.js";
import { incidents } from "../incidents/incident.table.js";
import { APPROVAL_WITHIN_MS, AUTOMATION_WITHIN_MS } from "./limits.js";
import type { RunView } from "./next-move.js";
import { type RemediationRunRow, remediationRuns as runs } from "./remediation.table.js";
import { declarationsOf } from "./remediation-kind.js";

/**
 * The live runs for which something may have happened, each with all that decides about it, in one statement. Prepared:
 * it is asked with every hint.
 */
export function runViewReader(db: Db, limit: number): () => Promise<{ now: Date; views: RunView[] }> {
  const ownState = and(
    eq(probeState.agentId, runs.agentId),
    eq(probeState.probeId, runs.probeId),
    eq(probeState.item, runs.item),
  );
  const withinSeconds = sql`case when ${runs.automatic} then ${AUTOMATION_WITHIN_MS / 1000}::int else ${APPROVAL_WITHIN_MS / 1000}::int end`;
  // Only what ends now: were all that wait in it, a thousand of them would leave no place for those that act.
  const hasWaitedTooLong = lt(runs.requestedAt, sql`now() - make_interval(secs => ${withinSeconds})`);
  const isIncidentOver = sql<boolean>`exists (
    select from ${incidents} raised join ${incidents} standing on standing.id = coalesce(raised.merged_into_id, raised.id)
    where raised.id = ${runs.incidentId} and standing.status = 'RESOLVED')`;
  const statement = db
    .select({
      now: sql<string>`now()`,
      run: runs,
      isIncidentOver,
      agentName: agents.name,
      lastSeenAt: agentSessions.lastSeenAt,
      command: agentCommands,
      probe: { name: probes.name, rules: probes.rules },
      state: {
        status: probeState.status,
        hardStatus: probeState.hardStatus,
        lastAt: probeState.lastAt,
        summary: probeState.summary,
      },
    })
    .from(runs)
    .innerJoin(agents, eq(agents.id, runs.agentId))
    .leftJoin(agentSessions, eq(agentSessions.agentId, runs.agentId))
    .leftJoin(agentCommands, eq(agentCommands.id, runs.commandId))
    .leftJoin(probes, eq(probes.id, runs.probeId))
    .leftJoin(probeState, ownState)
    .where(and(isNull(runs.finishedAt), or(ne(runs.status, "AWAITING_APPROVAL"), hasWaitedTooLong, isIncidentOver)))
    .orderBy(runs.requestedAt)
    .limit(limit)
    .prepare("run_views");
  return async () => {
    const rows = await statement.execute();
    return { now: new Date(rows[0]?.now ?? 0), views: rows.map(toView) };
  };
}

type Joined = Omit<RunView, keyof RemediationRunRow | "timeoutMs" | "verifyWithinMs" | "command"> & {
  run: RemediationRunRow;
  command: typeof agentCommands.$inferSelect | null;
};

function toView({ run, command, ...rest }: Joined): RunView {
  const { timeoutMs, verify } = declarationsOf(run.kind);
  return {
    ...run,
    ...rest,
    timeoutMs,
    verifyWithinMs: verify.withinMs,
    command: command && { ...command, end: command.end as CommandEnd | null },
  };
}
