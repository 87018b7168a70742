import type { Act } from "../kernel/command.js";
import { CLOCK_TOLERANCE_MS, DEFAULT_POLICY, START_WITHIN_MS } from "./limits.js";
import { declarationsOf } from "./remediation-kind.js";
import { ACTING_RUN_STATUSES } from "./run.state.js";
import { type Decision, type Facts, judge, refusal, type Verdict } from "./safety.js";

/** What wants to begin. `runId` is absent as long as no run exists. */
export interface Applicant {
  runId?: string;
  kind: string;
  target: string;
  agentId: string;
  probeId: string | null;
}

interface FactRow {
  agentName: string;
  isConnected: boolean;
  lastSeenAt: Date | null;
  lockRunId: string | null;
  lockUntil: Date | null;
  failedVerifies: number | null;
  breakerOpenUntil: Date | null;
  cooldownMs: string | null;
  maxAttempts: number | null;
  windowMs: string | null;
  maxShare: number | null;
  lastFinishedAt: Date | null;
  attempts: number;
  firstAttemptAt: Date | null;
  groupId: string | null;
  groupName: string | null;
  groupTargets: number;
  groupBusy: number;
}

/** What the rules look at, for all applicants in one statement; results in their order. */
const FACTS = `
  WITH applicant AS (
    SELECT a.*, coalesce(p.service_id, p.id) AS group_id, coalesce('service ' || s.name, 'probe ' || p.name) AS group_name,
           coalesce(pol.cooldown_ms, $6) AS cooldown_ms, coalesce(pol.window_ms, $7) AS window_ms, pol.max_attempts, pol.max_share
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[]) WITH ORDINALITY AS a(agent_id, target, probe_id, run_id, nr)
    LEFT JOIN probes p ON p.id = a.probe_id
    LEFT JOIN services s ON s.id = p.service_id
    LEFT JOIN remediation_policies pol ON pol.probe_id = a.probe_id
  ), member AS (
    SELECT DISTINCT g.group_id, p.id AS probe_id
    FROM applicant g JOIN probes p ON coalesce(p.service_id, p.id) = g.group_id
  ), size AS (
    SELECT m.group_id, count(*)::int AS targets
    FROM member m
    JOIN probe_state ps ON ps.probe_id = m.probe_id AND ps.status <> 'NOT_APPLICABLE'
    JOIN agents seer ON seer.id = ps.agent_id AND seer.revoked_at IS NULL
    GROUP BY m.group_id
  ), busy AS (
    SELECT m.group_id, r.id
    FROM member m JOIN remediation_runs r ON r.probe_id = m.probe_id
    WHERE r.finished_at IS NULL AND (r.status = ANY($5) OR (r.automatic AND $8))
  )
  SELECT ag.name AS "agentName", ag.status = 'ONLINE' AS "isConnected", se.last_seen_at AS "lastSeenAt",
         l.run_id AS "lockRunId", l.lease_until AS "lockUntil", l.failed_verifies AS "failedVerifies",
         l.breaker_open_until AS "breakerOpenUntil",
         a.cooldown_ms AS "cooldownMs", a.max_attempts AS "maxAttempts", a.window_ms AS "windowMs", a.max_share AS "maxShare",
         past.last_finished_at AS "lastFinishedAt", past.attempts, past.first_attempt_at AS "firstAttemptAt",
         a.group_id AS "groupId", a.group_name AS "groupName", coalesce(size.targets, 0) AS "groupTargets",
         (SELECT count(*)::int FROM busy b WHERE b.group_id = a.group_id AND b.id IS DISTINCT FROM a.run_id) AS "groupBusy"
  FROM applicant a
  JOIN agents ag ON ag.id = a.agent_id
  LEFT JOIN agent_sessions se ON se.agent_id = a.agent_id
  LEFT JOIN target_locks l ON l.agent_id = a.agent_id AND l.target = a.target
  LEFT JOIN size ON size.group_id = a.group_id
  CROSS JOIN LATERAL (
    -- What a person or the agent refused is not asked again at once, but what only came too late is.
    SELECT max(r.finished_at) FILTER (WHERE r.status <> 'EXPIRED') AS last_finished_at,
           count(*) FILTER (WHERE r.started_at > $9::timestamptz - make_interval(secs => a.window_ms / 1000.0))::int AS attempts,
           min(r.started_at) FILTER (WHERE r.started_at > $9::timestamptz - make_interval(secs => a.window_ms / 1000.0))
             AS first_attempt_at
    FROM remediation_runs r
    WHERE r.agent_id = a.agent_id AND r.target = a.target AND r.id IS DISTINCT FROM a.run_id
      AND r.requested_at > $9::timestamptz - make_interval(secs => greatest(a.window_ms, a.cooldown_ms) / 1000.0) - interval '2 days'
  ) past
  ORDER BY a.nr`;

/** Free, or held by a lease that is over: one conditional write decides, and the token only ever grows. */
const CLAIM = `
  INSERT INTO target_locks AS l (agent_id, target, run_id, lease_until, fencing_token)
  SELECT c.agent_id, c.target, c.run_id, $4::timestamptz, 1
  FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS c(agent_id, target, run_id) ORDER BY c.agent_id, c.target
  ON CONFLICT (agent_id, target) DO UPDATE
    SET run_id = excluded.run_id, lease_until = excluded.lease_until, fencing_token = l.fencing_token + 1
    WHERE l.run_id IS NULL OR l.lease_until <= $5::timestamptz
  RETURNING run_id AS "runId", fencing_token AS "fencingToken"`;

/** How long a claimed target waits for its command to begin. */
export const CLAIM_LEASE_MS = START_WITHIN_MS + CLOCK_TOLERANCE_MS + START_WITHIN_MS;

/**
 * Decides for each applicant, in order, and claims the targets of those that may begin. All decisions of all replicas
 * queue up behind the one row that holds the kill switch: they are rare and take milliseconds, and so nothing that the
 * rules count can move under them, and a pause is in force everywhere at the moment it commits.
 */
export async function claim(act: Act, runs: (Applicant & { runId: string })[], by: Facts["by"]): Promise<Decision[]> {
  const { now, verdicts } = await deliberate(act, runs, by, { countWaiting: false });
  const allowed = runs.filter((_, i) => verdicts[i]!.allowed);
  const { rows } = await act.client.query<{ runId: string; fencingToken: string }>(CLAIM, [
    allowed.map((run) => run.agentId),
    allowed.map((run) => run.target),
    allowed.map((run) => run.runId),
    new Date(now.getTime() + CLAIM_LEASE_MS),
    now,
  ]);
  const tokens = new Map(rows.map((row) => [row.runId, Number(row.fencingToken)]));
  return runs.map(({ runId, target }, i) => {
    const verdict = verdicts[i]!;
    const fencingToken = tokens.get(runId);
    if (!verdict.allowed) return verdict;
    if (fencingToken === undefined) return refusal("target-locked", `somebody else claimed ${target} a moment ago.`);
    return { allowed: true, fencingToken };
  });
}

/** Would automation be allowed? Also counts what waits for its preview, so that no pile of waiting runs is made. */
export async function wouldAllow(act: Act, applicants: Applicant[]): Promise<Verdict[]> {
  return (await deliberate(act, applicants, "automation", { countWaiting: true })).verdicts;
}

async function deliberate(
  act: Act,
  applicants: Applicant[],
  by: Facts["by"],
  { countWaiting }: { countWaiting: boolean },
): Promise<{ now: Date; verdicts: Verdict[] }> {
  const { now, processing } = await lockProcessing(act);
  const { rows } = await act.client.query<FactRow>(FACTS, [
    applicants.map((a) => a.agentId),
    applicants.map((a) => a.target),
    applicants.map((a) => a.probeId),
    applicants.map((a) => a.runId ?? null),
    ACTING_RUN_STATUSES,
    DEFAULT_POLICY.cooldownMs,
    DEFAULT_POLICY.windowMs,
    countWaiting,
    now,
  ]);
  // Those allowed a line above are under repair for those below.
  const allowedInGroup = new Map<string | null, number>();
  const verdicts = applicants.map((applicant, i) => {
    const row = rows[i]!;
    const before = allowedInGroup.get(row.groupId) ?? 0;
    const verdict = judge(factsOf(applicant, { ...row, groupBusy: row.groupBusy + before }, { now, by, processing }));
    if (verdict.allowed) allowedInGroup.set(row.groupId, before + 1);
    return verdict;
  });
  return { now, verdicts };
}

function factsOf(
  { kind, target, probeId }: Applicant,
  row: FactRow,
  common: Pick<Facts, "now" | "by" | "processing">,
): Facts {
  const manifest = declarationsOf(kind);
  return {
    ...common,
    kind,
    target,
    risk: manifest.risk,
    isVerifiable: probeId !== null,
    isRepeatable: manifest.idempotent || manifest.reversible === true,
    agent: { name: row.agentName, isConnected: row.isConnected, lastSeenAt: row.lastSeenAt },
    lock: row.lockRunId && row.lockUntil ? { runId: row.lockRunId, leaseUntil: row.lockUntil } : null,
    failedVerifies: row.failedVerifies ?? 0,
    breakerOpenUntil: row.breakerOpenUntil,
    lastFinishedAt: row.lastFinishedAt,
    attempts: row.attempts,
    firstAttemptAt: row.firstAttemptAt,
    limits: {
      cooldownMs: Number(row.cooldownMs),
      windowMs: Number(row.windowMs),
      maxAttempts: row.maxAttempts ?? DEFAULT_POLICY.maxAttempts,
      maxShare: row.maxShare ?? DEFAULT_POLICY.maxShare,
    },
    group: row.groupId ? { name: row.groupName!, targets: row.groupTargets, busy: row.groupBusy } : null,
  };
}

/** The transaction's own `now` may be older than the wait for this lock: the decision takes the time after it. */
async function lockProcessing({ client }: Act): Promise<Pick<Facts, "now" | "processing">> {
  const { rows } = await client.query<{ now: Date; paused: boolean } & NonNullable<Facts["processing"]>>(
    `SELECT reason, owner, until, date_trunc('milliseconds', clock_timestamp()) AS now,
            paused AND coalesce(until > clock_timestamp(), true) AS paused
     FROM processing FOR UPDATE`,
  );
  const { now, paused, reason, owner, until } = rows[0]!;
  return { now, processing: paused ? { reason, owner, until } : null };
}
