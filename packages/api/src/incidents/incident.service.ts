import { and, eq, inArray, lte, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import { z } from "zod";
import { rowOf } from "../db/columns.js";
import { type Db, type Statement, violatedConstraint } from "../db/database.js";
import { MAX_PAGE } from "../graphql/max-page.js";
import type { Scope } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, command } from "../kernel/command.js";
import { duration } from "../kernel/durations.js";
import { uuid } from "../kernel/uuid.js";
import { CATEGORIES, SEVERITIES } from "../kernel/vocabulary.js";
import { allowedFrom, type IncidentAction, type IncidentStatus, TRANSITIONS } from "./incident.state.js";
import { type IncidentRow, incidents } from "./incident.table.js";
import { about, raiseMany } from "./raise.js";

// Lower case, as PostgreSQL returns it: what was asked for is compared with what was found.
const id = uuid().describe("The incident.");
const ids = z
  .array(id)
  .min(1)
  .max(MAX_PAGE)
  .overwrite((given) => [...new Set(given)])
  .describe(`1 to ${MAX_PAGE} incidents; one given twice counts once.`);
const severity = z.enum(SEVERITIES).describe("How bad it is.");
const reason = z.string().trim().max(2000).optional().describe("Why; stands in the timeline. Up to 2,000 characters.");
const resolution = z.string().trim().max(2000).optional().describe("How it was solved. Up to 2,000 characters.");

export const raiseIncident = command({
  permission: "incident:raise",
  input: z.object({
    title: z.string().trim().min(1).max(300).describe("One line: what is wrong. Up to 300 characters."),
    severity,
    description: z.string().max(20_000).optional().describe("More of it. Up to 20,000 characters."),
    category: z.enum(CATEGORIES).optional().describe("OTHER when absent."),
    serviceId: uuid().optional().describe("The service it is about."),
    dedupKey: z
      .string()
      .trim()
      .min(1)
      .max(300)
      .optional()
      .describe("Raising it again while it is open counts a duplicate."),
    source: z.string().trim().min(1).max(100).optional().describe("What raised it; the caller's name when absent."),
    evidence: z.unknown().optional().describe("Anything that helps; at most 64 KiB as JSON."),
  }),
  async run(act, { source = act.scope.principal.name, ...given }) {
    if (Buffer.byteLength(JSON.stringify(given.evidence ?? null)) > 65_536)
      throw new AppError("BAD_INPUT", "evidence: it is larger than 64 KiB.", { field: "evidence" });
    const [raised] = await raiseMany(act, [{ ...given, source }]).catch(refuseUnknownService(given.serviceId));
    return { incident: raised!.incident };
  },
});

export const acknowledgeIncident = command({
  permission: "incident:respond",
  input: z.object({ id }),
  opening: (scope, { id }) => acknowledge(scope, [id]),
  run: async (act, { id }) => only(await acknowledged(act, [id], "id")),
});

export const acknowledgeIncidents = command({
  permission: "incident:respond",
  input: z.object({ ids }),
  opening: (scope, { ids }) => acknowledge(scope, ids),
  run: (act, { ids }) => acknowledged(act, ids, "ids"),
});

const ACKNOWLEDGE = {
  name: "acknowledge_incidents",
  text: `UPDATE incidents SET status = $3, acknowledged_at = date_trunc('milliseconds', now()), acknowledged_by = $2,
      snoozed_until = NULL, updated_at = date_trunc('milliseconds', now())
    WHERE id = ANY($1::uuid[]) AND status = ANY($4) RETURNING *`,
};

const acknowledge = ({ principal }: Scope, ids: string[]): Statement => ({
  ...ACKNOWLEDGE,
  values: [ids, principal.name, "ACKNOWLEDGED" satisfies IncidentStatus, allowedFrom("acknowledge")],
});

function acknowledged(act: Act, ids: string[], field: string) {
  const { name } = act.scope.principal;
  const rows = act.opened!.rows.map((row) => rowOf(incidents, row));
  for (const incident of rows)
    act.emit({ type: "incident.acknowledged", summary: `${name} acknowledged`, ...about(incident) });
  return withRefusals(act.db, rows, ids, "acknowledge", field);
}

export const assignIncident = command({
  permission: "incident:respond",
  input: z.object({
    id,
    assignee: z.string().trim().min(1).max(200).nullable().describe("Null takes the assignment away."),
  }),
  async run(act, { id, assignee }) {
    const incident = await change(act, id, "edit", { assignee });
    act.emit({
      type: "incident.assigned",
      summary: assignee ? `Assigned to ${assignee}` : "Assigned to nobody",
      ...about(incident),
      payload: { assignee },
    });
    return { incident };
  },
});

export const setSeverity = command({
  permission: "incident:respond",
  input: z.object({ id, severity, reason }),
  async run(act, { id, severity, reason }) {
    const before = await lock(act.db, id);
    const incident = await change(act, id, "edit", {
      severity,
      peakSeverity: sql`least(${incidents.peakSeverity}, ${severity})`,
    });
    const summary = `Severity ${before.severity} → ${severity}${reason ? `: ${reason}` : ""}`;
    act.emit({
      type: "incident.severity_changed",
      summary,
      ...about(incident),
      payload: { from: before.severity, to: severity, reason: reason ?? null },
    });
    return { incident };
  },
});

export const addNote = command({
  permission: "incident:respond",
  input: z.object({ id, text: z.string().trim().min(1).max(20_000).describe("Up to 20,000 characters.") }),
  async run(act, { id, text }) {
    const incident = await change(act, id, "note", {});
    act.emit({
      type: "incident.note_added",
      summary: text.split("\n")[0]!.slice(0, 200),
      ...about(incident),
      payload: { text },
    });
    return { incident };
  },
});

export const snoozeIncident = command({
  permission: "incident:respond",
  input: z.object({ id, for: duration(60_000, 30 * 86_400_000).describe("From one minute to 30 days.") }),
  async run(act, { id, for: ms }) {
    const until = new Date(act.now.getTime() + ms);
    const incident = await change(act, id, "snooze", { snoozedUntil: until });
    act.emit({
      type: "incident.snoozed",
      summary: `Snoozed until ${until.toISOString()}`,
      ...about(incident),
      payload: { until },
    });
    return { incident };
  },
});

export const resolveIncident = command({
  permission: "incident:respond",
  input: z.object({ id, resolution }),
  run: async (act, { id, resolution }) => only(await resolveMany(act, [id], resolution, "id")),
});

export const resolveIncidents = command({
  permission: "incident:respond",
  input: z.object({ ids, resolution }),
  run: (act, { ids, resolution }) => resolveMany(act, ids, resolution),
});

/** Resolves what is open of these; used by people in bulk and by signals whose cause is gone. */
export function resolveMany(act: Act, ids: string[], resolution: string | null = null, field = "ids") {
  const resolved = { resolvedAt: act.now, resolvedBy: act.scope.principal.name, resolution, snoozedUntil: null };
  return changeMany(act, ids, "resolve", resolved, field, (incident) =>
    act.emit({
      type: "incident.resolved",
      summary: resolution ?? "Resolved",
      ...about(incident),
      payload: { resolution },
    }),
  );
}

export const reopenIncident = command({
  permission: "incident:respond",
  input: z.object({ id, reason }),
  async run(act, { id, reason }) {
    const reopened = { resolvedAt: null, resolvedBy: null, resolution: null, ...unacknowledged };
    const incident = await change(act, id, "reopen", reopened).catch((error) => {
      if (violatedConstraint(error) !== "incidents_open_dedup_key") throw error;
      throw new AppError("CONFLICT", "The same trouble has another open incident already; reopen would make two.", {
        field: "id",
      });
    });
    act.emit({
      type: "incident.reopened",
      summary: reason ?? "Reopened",
      ...about(incident),
      payload: { reason: reason ?? null },
    });
    return { incident };
  },
});

export const mergeIncidents = command({
  permission: "incident:respond",
  input: z.object({ intoId: id, fromIds: z.array(id).min(1).max(100).describe("1 to 100 that become MERGED.") }),
  async run(act, { intoId, fromIds }) {
    if (fromIds.includes(intoId))
      throw new AppError("BAD_INPUT", "fromIds: an incident cannot be merged into itself.", { field: "fromIds" });
    const rows = await act.db
      .select()
      .from(incidents)
      .where(inArray(incidents.id, [intoId, ...fromIds]))
      .orderBy(incidents.id)
      .for("update");
    const into = rows.find((row) => row.id === intoId);
    if (!into) throw notFound(intoId, "intoId");
    if (TRANSITIONS.edit[into.status] === "REFUSED") throw refused(into, "edit", "intoId");
    const from = rows.filter((row) => row.id !== intoId);
    const merged = { mergedIntoId: intoId, snoozedUntil: null };
    const tellMerged = (incident: IncidentRow) =>
      act.emit({
        type: "incident.merged",
        summary: `Merged into #${into.number}`,
        ...about(incident),
        payload: { intoId },
      });
    const { refusals } = await changeMany(act, fromIds, "merge", merged, "fromIds", tellMerged);
    if (refusals[0]) throw refusals[0];
    // What had been merged into one of them follows, so that every merged incident points at one that is not.
    const followers = await act.db
      .update(incidents)
      .set({ mergedIntoId: intoId, updatedAt: act.now })
      .where(inArray(incidents.mergedIntoId, fromIds))
      .returning();
    for (const follower of followers) tellMerged(follower);
    // What is P0 does not become P2 by being found in better company; what was P0 last month does not page again.
    const standing = [into, ...from.filter((row) => row.status !== "RESOLVED")];
    const severity = standing.map((row) => row.severity).sort()[0]!;
    const incident = await change(act, intoId, "edit", {
      duplicateCount: sql`${incidents.duplicateCount} + ${from.reduce((sum, row) => sum + row.duplicateCount + 1, 0)}`,
      severity,
      peakSeverity: [into, ...from].map((row) => row.peakSeverity).sort()[0]!,
      firstSeenAt: new Date(Math.min(...[into, ...from].map((row) => row.firstSeenAt.getTime()))),
      lastSeenAt: new Date(Math.max(...[into, ...from].map((row) => row.lastSeenAt.getTime()))),
    });
    act.emit({
      type: "incident.absorbed",
      summary: `Took in ${from.map((row) => `#${row.number}`).join(", ")}`,
      ...about(incident),
      payload: { fromIds },
    });
    if (severity !== into.severity)
      act.emit({
        type: "incident.severity_changed",
        summary: `Severity ${into.severity} → ${severity}: of what was merged into it`,
        ...about(incident),
        payload: { from: into.severity, to: severity, reason: "merge" },
      });
    return { incident };
  },
});

/** Brings back the incidents whose snooze is over. @returns how many */
export async function wakeSnoozed(act: Act): Promise<number> {
  const isOver = lte(incidents.snoozedUntil, act.now);
  const woken = await update(act, isOver, "wake", { snoozedUntil: null, ...unacknowledged });
  for (const incident of woken) act.emit({ type: "incident.woken", summary: "The snooze is over", ...about(incident) });
  return woken.length;
}

type Changes = Partial<{ [Column in keyof IncidentRow]: IncidentRow[Column] | SQL }>;

/** What waits for a person has none. */
const unacknowledged = { acknowledgedAt: null, acknowledgedBy: null };

/** @throws {AppError} why it could not be changed */
async function change(act: Act, id: string, action: IncidentAction, changes: Changes): Promise<IncidentRow> {
  return only(await changeMany(act, [id], action, changes, "id", () => {})).incident;
}

/** @throws {AppError} why the only one that was to be changed was not */
function only({ incidents: [incident], refusals: [refusal] }: Awaited<ReturnType<typeof changeMany>>) {
  if (!incident) throw refusal;
  return { incident };
}

/**
 * What can be changed is, what cannot is told. One conditional update decides the race; reading first would only widen it.
 */
async function changeMany(
  act: Act,
  ids: string[],
  action: IncidentAction,
  changes: Changes,
  field: string,
  each: (incident: IncidentRow) => void,
) {
  const changed = await update(act, inArray(incidents.id, ids), action, changes);
  for (const incident of changed) each(incident);
  return withRefusals(act.db, changed, ids, action, field);
}

/** What was changed, and why the others of `ids` were not. */
async function withRefusals(db: Db, changed: IncidentRow[], ids: string[], action: IncidentAction, field: string) {
  const done = new Set(changed.map((incident) => incident.id));
  const missed = ids.filter((id) => !done.has(id));
  return { incidents: changed, refusals: missed.length > 0 ? await refusalsOf(db, missed, action, field) : [] };
}

async function refusalsOf(db: Db, ids: string[], action: IncidentAction, field: string): Promise<AppError[]> {
  const into = alias(incidents, "into");
  const rows = await db
    .select({ incident: incidents, into: into.number })
    .from(incidents)
    .leftJoin(into, eq(into.id, incidents.mergedIntoId))
    .where(inArray(incidents.id, ids));
  const found = new Map(rows.map((row) => [row.incident.id, row]));
  return ids.map((id) => {
    const row = found.get(id);
    return row ? refused(row.incident, action, field, row.into) : notFound(id, field);
  });
}

async function update({ db, now }: Act, which: SQL, action: IncidentAction, changes: Changes): Promise<IncidentRow[]> {
  const from = allowedFrom(action);
  const status = sql.join(
    from.map((status) => sql`when ${status} then ${TRANSITIONS[action][status]}`),
    sql` `,
  );
  return db
    .update(incidents)
    .set({ ...changes, status: sql`case ${incidents.status} ${status} end`, updatedAt: now })
    .where(and(which, inArray(incidents.status, from)))
    .returning();
}

async function lock(db: Db, id: string): Promise<IncidentRow> {
  const [incident] = await db.select().from(incidents).where(eq(incidents.id, id)).for("update");
  if (!incident) throw notFound(id, "id");
  return incident;
}

const notFound = (id: string, field: string) => new AppError("NOT_FOUND", `There is no incident ${id}.`, { field });

function refused(row: IncidentRow, action: IncidentAction, field: string, into?: number | null): AppError {
  const { number, status, acknowledgedBy } = row;
  const by = status === "ACKNOWLEDGED" && acknowledgedBy ? ` by ${acknowledgedBy}` : "";
  const where = into ? ` into #${into}` : "";
  return new AppError(
    "CONFLICT",
    `Incident #${number} is ${status}${by}${where}; ${action} needs ${allowedFrom(action).join(" or ")}.`,
    { field, status },
  );
}

const refuseUnknownService = (serviceId: string | undefined) => (error: unknown) => {
  if (!violatedConstraint(error)?.includes("service_id")) throw error;
  throw new AppError("NOT_FOUND", `serviceId: there is no service ${serviceId}.`, { field: "serviceId" });
};
