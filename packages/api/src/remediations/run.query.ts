import { and, inArray, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { type Connection, countRows, type Paging, paginate } from "../graphql/connection.js";
import { inOrder, type LoaderDefinition } from "../graphql/context.js";
import {
  remediationPolicies as policies,
  type RemediationPolicyRow,
  type RemediationRunRow,
  remediationRuns as runs,
} from "./remediation.table.js";
import type { RunStatus } from "./run.state.js";

export interface RunConditions {
  statuses?: RunStatus[] | null;
  incidentIds?: string[] | null;
  agentIds?: string[] | null;
}

/** Runs, newest first. */
export function findRuns(db: Db, conditions: RunConditions, paging: Paging): Promise<Connection<RemediationRunRow>> {
  return paginate<RemediationRunRow>({
    paging,
    orderBy: [
      { key: "requestedAt", column: runs.requestedAt, descending: true },
      { key: "id", column: runs.id, descending: true },
    ],
    where: conditionsSql(conditions),
    select: (where, orderBy, limit) =>
      db
        .select()
        .from(runs)
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    count: (where) => countRows(db, runs, where),
  });
}

const conditionsSql = ({ statuses, incidentIds, agentIds }: RunConditions): SQL | undefined =>
  and(
    statuses ? inArray(runs.status, statuses) : undefined,
    incidentIds ? inArray(runs.incidentId, incidentIds) : undefined,
    agentIds ? inArray(runs.agentId, agentIds) : undefined,
  );

export const runById: LoaderDefinition<string, RemediationRunRow> = async (db, ids) =>
  inOrder(
    ids,
    await db
      .select()
      .from(runs)
      .where(inArray(runs.id, [...ids])),
    (row) => row.id,
  );

export const policyById: LoaderDefinition<string, RemediationPolicyRow> = async (db, ids) =>
  inOrder(
    ids,
    await db
      .select()
      .from(policies)
      .where(inArray(policies.id, [...ids])),
    (row) => row.id,
  );

/** Until when some target of the probe has an open breaker; the latest. */
export const breakerOpenOf: LoaderDefinition<string, Date> = async (db, probeIds) => {
  const { rows } = await db.execute<{ probeId: string; until: string }>(sql`
    SELECT r.probe_id AS "probeId", max(l.breaker_open_until) AS until
    FROM target_locks l JOIN remediation_runs r ON r.agent_id = l.agent_id AND r.target = l.target
    WHERE l.breaker_open_until > now() AND r.probe_id = ANY(${sql.param([...probeIds])})
    GROUP BY r.probe_id`);
  const byProbe = new Map(rows.map((row) => [row.probeId, new Date(row.until)]));
  return probeIds.map((id) => byProbe.get(id) ?? null);
};

export function findPolicies(db: Db, paging: Paging): Promise<Connection<RemediationPolicyRow>> {
  return paginate<RemediationPolicyRow>({
    paging,
    orderBy: [{ key: "id", column: policies.id }],
    where: undefined,
    select: (where, orderBy, limit) =>
      db
        .select()
        .from(policies)
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    count: (where) => countRows(db, policies, where),
  });
}
