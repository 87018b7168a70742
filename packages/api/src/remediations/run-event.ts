import { inArray } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { incidents } from "../incidents/incident.table.js";
import { about } from "../incidents/raise.js";
import type { NewEvent } from "../kernel/command.js";
import type { RemediationRunRow } from "./remediation.table.js";

export interface RunEvent {
  run: RemediationRunRow;
  type: string;
  summary: string;
  payload?: Record<string, unknown>;
}

/** The events of runs, each on the timeline of the incident that the run is for. */
export async function onTimelines(db: Db, happened: RunEvent[]): Promise<NewEvent[]> {
  const ids = [...new Set(happened.flatMap(({ run }) => run.incidentId ?? []))];
  const rows = ids.length > 0 ? await db.select().from(incidents).where(inArray(incidents.id, ids)) : [];
  const places = new Map(rows.map((row) => [row.id, about(row)]));
  return happened.map(({ run, type, summary, payload }) => ({
    type,
    summary,
    ...places.get(run.incidentId ?? ""),
    payload: { ...subjectOf(run), ...payload },
  }));
}

const subjectOf = ({ id, kind, target, agentId, probeId, item, automatic }: RemediationRunRow) => ({
  runId: id,
  kind,
  target,
  agentId,
  probeId,
  item,
  automatic,
});
