import { sql } from "drizzle-orm";
import { rowOf } from "../db/columns.js";
import type { Act } from "../kernel/command.js";
import { newId } from "../kernel/ids.js";
import { storableJson } from "../kernel/storable.js";
import type { IncidentCategory, Severity } from "../kernel/vocabulary.js";
import { OPEN } from "./incident.state.js";
import { type IncidentRow, incidents } from "./incident.table.js";

/** What is known of a trouble when it is raised. The same `dedupKey` means the same trouble while it is open. */
export interface NewIncident {
  title: string;
  severity: Severity;
  description?: string;
  category?: IncidentCategory;
  serviceId?: string | null;
  dedupKey?: string | null;
  source: string;
  evidence?: unknown;
}

export interface Raised {
  incident: IncidentRow;
  /** False: it was open already, and this one was counted as its duplicate. */
  isNew: boolean;
}

/**
 * Opens incidents, or counts duplicates of open ones. Set-based: one raise or a storm of thousands takes the same few
 * statements. Two raises of one key race on the partial unique index: exactly one inserts, the other counts.
 * @returns one entry per given incident, in order
 */
export async function raiseMany(act: Act, given: NewIncident[]): Promise<Raised[]> {
  const raised: Raised[] = new Array(given.length);
  const unraised = () => [...given.keys()].filter((i) => !raised[i]);
  for (let left = unraised(); left.length > 0; left = unraised()) {
    // A new trouble takes one statement: what is open already conflicts, and only then is looked for.
    await insertNew(act, given, firstOfEachKey(given, left), raised);
    await countDuplicates(act, given, unraised(), raised);
    // Left over: those whose key was open when it was inserted, and no more when it was looked for.
  }
  return raised;
}

const keysOf = (given: NewIncident[], indexes: number[]): string[] =>
  [...new Set(indexes.flatMap((i) => given[i]!.dedupKey ?? []))].sort();

function firstOfEachKey(given: NewIncident[], indexes: number[]): number[] {
  const seen = new Set<string>();
  return indexes.filter((i) => {
    const key = given[i]!.dedupKey;
    if (!key) return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** The open incident of each key, locked in one order; a merged one stands for what it was merged into. */
const LOCK_OPEN = {
  name: "lock_open_incidents",
  text: `WITH open AS (
      SELECT i.id, i.dedup_key AS key FROM incidents i
      WHERE i.dedup_key = ANY($1) AND i.status IN ${OPEN}
      UNION ALL
      SELECT m.merged_into_id, m.dedup_key FROM incidents m WHERE m.dedup_key = ANY($1) AND m.status = 'MERGED')
    SELECT open.key, i.* FROM incidents i JOIN open USING (id)
    WHERE i.status IN ${OPEN} ORDER BY i.id FOR UPDATE OF i`,
};

async function lockOpen({ client }: Act, keys: string[]): Promise<Map<string, IncidentRow>> {
  if (keys.length === 0) return new Map();
  const { rows } = await client.query({ ...LOCK_OPEN, values: [keys] });
  const found = rows.map((row) => [row.key as string, rowOf(incidents, row)] as const);
  // A key may have been merged away and raised anew: then the new one counts.
  return new Map([...found, ...found.filter(([key, { dedupKey }]) => dedupKey === key)]);
}

/** In the order of the keys, as those who insert the same ones do: they wait for each other instead of in a circle. */
const INSERT = {
  name: "insert_incidents",
  text: `INSERT INTO incidents (id, title, description, severity, peak_severity, category, source, dedup_key, service_id,
      evidence, first_seen_at, last_seen_at, created_at, updated_at)
    SELECT g.id, g.title, g.description, g.severity, g.severity, g.category, g.source, g."dedupKey", g."serviceId",
      g.evidence, $2, $2, $2, $2
    FROM jsonb_to_recordset($1) AS g(id uuid, title text, description text, severity text, category text, source text,
      "dedupKey" text, "serviceId" uuid, evidence jsonb)
    WHERE g."dedupKey" IS NULL OR NOT EXISTS (
      SELECT FROM incidents m JOIN incidents i ON i.id = m.merged_into_id
      WHERE m.dedup_key = g."dedupKey" AND m.status = 'MERGED' AND i.status IN ${OPEN})
    ORDER BY g."dedupKey"
    ON CONFLICT (dedup_key) WHERE status IN ${OPEN} DO NOTHING
    RETURNING *`,
};

async function insertNew(
  { client, now, emit }: Act,
  given: NewIncident[],
  indexes: number[],
  raised: Raised[],
): Promise<void> {
  if (indexes.length === 0) return;
  const places = new Map(indexes.map((i) => [newId(), i]));
  const values = [...places].map(([id, i]) => ({ description: "", category: "OTHER", ...given[i], id }));
  const { rows } = await client.query({ ...INSERT, values: [storableJson(values), now] });
  for (const row of rows) raised[places.get(row.id)!] = { incident: rowOf(incidents, row), isNew: true };
  for (const i of indexes) {
    if (!raised[i]) continue;
    const { incident } = raised[i];
    emit({
      type: "incident.raised",
      summary: `${incident.severity} ${incident.title}`,
      ...about(incident),
      payload: { source: incident.source, category: incident.category },
    });
  }
}

async function countDuplicates(act: Act, given: NewIncident[], left: number[], raised: Raised[]): Promise<void> {
  const { db, now, emit } = act;
  const open = await lockOpen(act, keysOf(given, left));
  const indexes = left.filter((i) => open.has(given[i]!.dedupKey ?? ""));
  const targets = new Map<string, { count: number; severity: Severity; before: IncidentRow }>();
  for (const i of indexes) {
    const before = open.get(given[i]!.dedupKey!)!;
    const target = targets.get(before.id) ?? { count: 0, severity: before.severity, before };
    target.count++;
    if (given[i]!.severity < target.severity) target.severity = given[i]!.severity;
    targets.set(before.id, target);
  }
  if (targets.size === 0) return;
  const ids = [...targets.keys()];
  const column = <T>(pick: (target: { count: number; severity: Severity }) => T) =>
    sql.param([...targets.values()].map(pick));
  const rows = await db
    .update(incidents)
    .set({
      duplicateCount: sql`${incidents.duplicateCount} + given.count`,
      severity: sql`least(${incidents.severity}, given.severity)`,
      peakSeverity: sql`least(${incidents.peakSeverity}, given.severity)`,
      lastSeenAt: now,
      updatedAt: now,
    })
    .from(
      sql`unnest(${sql.param(ids)}::uuid[], ${column((t) => t.count)}::int[], ${column((t) => t.severity)}::text[]) AS given(id, count, severity)`,
    )
    .where(sql`${incidents.id} = given.id`)
    .returning();
  const updated = new Map((rows as unknown as IncidentRow[]).map((row) => [row.id, row]));
  for (const { before } of targets.values()) {
    const after = updated.get(before.id)!;
    if (after.severity === before.severity) continue;
    const summary = `Severity rose from ${before.severity} to ${after.severity}`;
    emit({
      type: "incident.severity_changed",
      summary,
      ...about(after),
      payload: { from: before.severity, to: after.severity },
    });
  }
  for (const i of indexes) raised[i] = { incident: updated.get(open.get(given[i]!.dedupKey!)!.id)!, isNew: false };
}

/** Where an event about an incident belongs. */
export const about = ({ id, serviceId, severity }: IncidentRow) => ({ incidentId: id, serviceId, severity });
