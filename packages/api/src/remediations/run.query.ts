import { and, inArray, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db/database.js";
import type { Connection, Paging } from "../graphql/connection.js";
import type { LoaderDefinition } from "../graphql/context.js";
import { byId, listOf } from "../graphql/table-queries.js";
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
  return listOf(db, runs, {
    paging,
    orderBy: [
      { key: "requestedAt", column: runs.requestedAt, descending: true },
      { key: "id", column: runs.id, descending: true },
    ],
    where: conditionsSql(conditions),
  });
}

const conditionsSql = ({ statuses, incidentIds, agentIds }: RunConditions): SQL | undefined =>
  and(
    statuses ? inArray(runs.status, statuses) : undefined,
    incidentIds ? inArray(runs.incidentId, incidentIds) : undefined,
    agentIds ? inArray(runs.agentId, agentIds) : undefined,
  );

export const runById = byId(runs);

export const policyById = byId(policies);

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
  return listOf(db, policies, {
    paging,
    orderBy: [{ key: "id", column: policies.id }],
  });
}
