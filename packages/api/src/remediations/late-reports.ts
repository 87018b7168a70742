import { and, eq, gt, inArray, isNotNull, isNull, sql } from "drizzle-orm";
import { agentCommands as commands } from "../agents/agent.table.js";
import type { Act } from "../kernel/command.js";
import { LATE_REPORTS_MS } from "./limits.js";
import { remediationRuns as runs } from "./remediation.table.js";
import { onTimelines } from "./run-event.js";

/**
 * A run that was given up keeps its status when its agent speaks after all: what had been decided on it would be wrong
 * otherwise. The agent's word is kept as an event. @returns how many spoke
 */
export async function noteLateReports(act: Act): Promise<number> {
  const oldest = sql`now() - make_interval(secs => ${LATE_REPORTS_MS / 1000})`;
  const late = await act.db
    .update(runs)
    .set({ lateReportAt: act.now })
    .from(commands)
    .where(
      and(
        eq(commands.id, runs.commandId),
        isNotNull(commands.endedAt),
        inArray(runs.status, ["LOST", "EXPIRED"]),
        isNull(runs.lateReportAt),
        gt(runs.finishedAt, oldest),
      ),
    )
    .returning({
      run: runs,
      end: commands.end,
      word: commands.summary,
      survivors: commands.survivors,
    });
  const events = await onTimelines(
    act.db,
    late.map(({ run, end, word, survivors }) => ({
      run,
      type: "remediation.late_report",
      summary: `late report: the agent says it ended ${end}${word ? `: ${word}` : ""}; the run stays ${run.status}`,
      payload: { end, survivors },
    })),
  );
  for (const event of events) act.emit(event);
  return late.length;
}
