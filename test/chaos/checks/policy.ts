import type { World } from "../world.js";
import { type Check, some } from "./check.js";

/** The order of events is the order of commits, and what a decision saw was committed before it. So `seq` proves it. */
interface Run {
  id: string;
  where: string;
  probe: string;
  status: string;
  automatic: boolean;
  startedAt: number | null;
  finishedAt: number | null;
  held: boolean;
  relapsed: boolean;
  requestedAt: number;
  breakerAfter: number;
  cooldownMs: number;
  maxAttempts: number;
  windowMs: number;
  atOnce: number;
  /** The events of its approval and of its end. */
  approved: number | null;
  approvedAt: number;
  ended: number;
}

interface Switch {
  seq: number;
  type: string;
  where: string;
  at: number;
  until: number | null;
}

const STABILITY_MS = 300_000;

/** No remediation beyond its policy: one per target, so many per group, cooldown, attempts, breaker, kill switch. */
export const policy: Check = async (world) => {
  const runs = (await runsOf(world)).filter(({ approved }) => approved !== null) as (Run & { approved: number })[];
  const switches = await switchesOf(world);
  const automatic = runs.filter((run) => run.automatic);
  const refused = await refusals(world);
  return {
    verified: `${automatic.length} automatic and ${runs.length - automatic.length} approved remediations; refused by ${refused}`,
    violations: [
      ...runs.flatMap((run) => together(run, runs)),
      ...automatic.flatMap((run) => [
        ...tooSoon(run, runs),
        ...tooOften(run, runs),
        ...despiteBreaker(run, runs, switches),
        ...despiteFailures(run, runs),
      ]),
      ...runs.flatMap((run) => whilePaused(run, switches)),
    ],
  };
};

type Approved = Run & { approved: number };

function together(run: Approved, runs: Approved[]): string[] {
  const busy = runs.filter(({ approved, ended }) => approved < run.approved && ended > run.approved);
  const onTarget = busy.filter(({ where }) => where === run.where);
  const inGroup = busy.filter(({ probe }) => probe === run.probe);
  return [
    ...(onTarget.length > 0 ? [`run ${run.id} began on ${run.where}, which run ${onTarget[0]!.id} held`] : []),
    ...(inGroup.length >= run.atOnce
      ? [
          `run ${run.id} began beside ${inGroup.length} others of its group (${some(inGroup.map(({ id }) => id))}); ${run.atOnce} may be at once`,
        ]
      : []),
  ];
}

const before = (run: Approved, runs: Approved[]) =>
  runs.filter((other) => other.where === run.where && other.approved < run.approved);

function tooSoon(run: Approved, runs: Approved[]): string[] {
  const counted = before(run, runs).filter(({ status }) => status !== "EXPIRED");
  const last = Math.max(...counted.map(({ finishedAt }) => finishedAt ?? 0), 0);
  const waitedMs = (run.startedAt ?? Number.POSITIVE_INFINITY) - last;
  if (waitedMs >= run.cooldownMs) return [];
  return [
    `run ${run.id} of ${run.where} began ${waitedMs} ms after the last one; its cooldown is ${run.cooldownMs} ms`,
  ];
}

function tooOften(run: Approved, runs: Approved[]): string[] {
  const { startedAt } = run;
  if (startedAt === null) return [];
  const recent = before(run, runs).filter((other) => (other.startedAt ?? 0) > startedAt - run.windowMs);
  if (recent.length < run.maxAttempts) return [];
  return [
    `run ${run.id} of ${run.where} is number ${recent.length + 1} within ${run.windowMs} ms; ${run.maxAttempts} are allowed`,
  ];
}

function despiteBreaker(run: Approved, runs: Approved[], switches: Switch[]): string[] {
  const opened = switches.findLast(
    ({ type, where, seq }) => type === "remediation.breaker_opened" && where === run.where && seq < run.approved,
  );
  if (!opened || run.approvedAt >= opened.until!) return [];
  const closed = runs.some(({ where, held, finishedAt }) => {
    const judgedAt = (finishedAt ?? 0) + STABILITY_MS;
    return where === run.where && held && judgedAt > opened.at && judgedAt <= run.approvedAt;
  });
  return closed ? [] : [`run ${run.id} of ${run.where} began while its breaker was open`];
}

/** Fixes are judged before the next one is proposed. What had failed by then opens the breaker, whatever the log says of it. */
function despiteFailures(run: Approved, runs: Approved[]): string[] {
  const earlier = before(run, runs);
  const lastHeld = Math.max(0, ...earlier.filter(({ held }) => held).map(({ finishedAt }) => finishedAt ?? 0));
  const failed = earlier.filter(
    ({ status, relapsed, requestedAt, finishedAt }) =>
      (status === "DID_NOT_HELP" || relapsed) &&
      requestedAt > run.requestedAt - run.windowMs &&
      (finishedAt ?? 0) > lastHeld,
  );
  if (failed.length < run.breakerAfter) return [];
  return [`run ${run.id} of ${run.where} began after ${failed.length} fixes in a row had failed`];
}

function whilePaused({ id, approved, approvedAt }: Approved, switches: Switch[]): string[] {
  const last = switches.findLast(({ type, seq }) => type.startsWith("processing.") && seq < approved);
  if (last?.type !== "processing.paused" || (last.until !== null && approvedAt >= last.until)) return [];
  return [`run ${id} began at event ${approved} while processing was paused by event ${last.seq}`];
}

const runsOf = ({ database }: World) =>
  database.query<Run>(
    `SELECT r.id, r.agent_id || ' ' || r.target AS "where", coalesce(r.probe_id::text, r.id::text) AS probe, r.status, r.automatic,
       extract(epoch FROM r.started_at)::float8 * 1000 AS "startedAt", extract(epoch FROM r.finished_at)::float8 * 1000 AS "finishedAt",
       coalesce(r.held, false) AS held, coalesce(NOT r.held, false) AS relapsed,
       extract(epoch FROM r.requested_at)::float8 * 1000 AS "requestedAt", coalesce(p.breaker_after, 2) AS "breakerAfter", coalesce(p.cooldown_ms, 600000)::float8 AS "cooldownMs", coalesce(p.max_attempts, 3) AS "maxAttempts",
       coalesce(p.window_ms, 86400000)::float8 AS "windowMs",
       greatest(1, floor(coalesce(p.max_share, 0.05) * (SELECT count(*) FROM probe_state s JOIN agents seer ON seer.id = s.agent_id
         WHERE s.probe_id = r.probe_id AND s.status <> 'NOT_APPLICABLE' AND seer.revoked_at IS NULL)))::int AS "atOnce",
       a.seq::int AS approved, extract(epoch FROM a.at)::float8 * 1000 AS "approvedAt",
       CASE WHEN r.finished_at IS NULL THEN 2147483647 ELSE (SELECT max(e.seq) FROM events e WHERE e.payload->>'runId' = r.id::text
         AND (e.type IN ('remediation.verified', 'remediation.succeeded', 'remediation.failed', 'remediation.did_not_help',
           'remediation.cancelled', 'remediation.timed_out', 'remediation.interrupted', 'remediation.lost', 'remediation.expired')
           OR (e.type = 'remediation.refused' AND e.payload->>'rule' = 'agent'))) END::int AS ended
     FROM remediation_runs r LEFT JOIN remediation_policies p ON p.probe_id = r.probe_id
     LEFT JOIN LATERAL (SELECT seq, at FROM events e WHERE e.type = 'remediation.approved' AND e.payload->>'runId' = r.id::text LIMIT 1) a ON true`,
  );

const switchesOf = ({ database }: World) =>
  database.query<Switch>(
    `SELECT seq::int, type, (payload->>'agentId') || ' ' || (payload->>'target') AS "where", extract(epoch FROM at)::float8 * 1000 AS at,
       extract(epoch FROM (payload->>'until')::timestamptz)::float8 * 1000 AS until
     FROM events WHERE type IN ('processing.paused', 'processing.resumed', 'remediation.breaker_opened') ORDER BY seq`,
  );

const RULES = [
  "processing-paused",
  "agent-not-connected",
  "breaker",
  "target-locked",
  "cooldown",
  "attempts",
  "blast-radius",
];

/** Which rules had something to say: a rule that never spoke was not tested. */
async function refusals({ database }: World): Promise<string> {
  const rows = await database.query<{ rule: string; times: number }>(
    `SELECT payload->>'rule' AS rule, count(*)::int AS times FROM events WHERE type = 'remediation.refused' GROUP BY 1 ORDER BY 1`,
  );
  const silent = RULES.filter((name) => !rows.some(({ rule }) => rule === name));
  const spoke = rows.map(({ rule, times }) => `${rule} ${times}`).join(", ") || "no rule";
  return `${spoke}${silent.length > 0 ? `; silent: ${silent.join(", ")}` : ""}`;
}
