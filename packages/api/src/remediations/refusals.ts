import { inArray } from "drizzle-orm";
import { incidents } from "../incidents/incident.table.js";
import { about } from "../incidents/raise.js";
import type { Act } from "../kernel/command.js";
import { remediationRefusals } from "./remediation.table.js";
import type { Refusal } from "./safety.js";

/** Tells incidents which rule keeps automation away: each rule once per incident, however often it refuses. */
export async function recordRefusals(act: Act, refused: { incidentId: string; refusal: Refusal }[]): Promise<void> {
  if (refused.length === 0) return;
  const values = refused.map(({ incidentId, refusal: { rule, message } }) => ({
    incidentId,
    rule,
    message,
    at: act.now,
  }));
  const recorded = await act.db.insert(remediationRefusals).values(values).onConflictDoNothing().returning();
  if (recorded.length === 0) return;
  const ids = recorded.map((row) => row.incidentId);
  const concerned = await act.db.select().from(incidents).where(inArray(incidents.id, ids));
  for (const { incidentId, rule, message } of recorded) {
    const { retryAt } = refused.find((one) => one.incidentId === incidentId && one.refusal.rule === rule)!.refusal;
    act.emit({
      type: "remediation.refused",
      summary: message,
      ...about(concerned.find(({ id }) => id === incidentId)!),
      payload: { rule, retryAt, automatic: true },
    });
  }
}
