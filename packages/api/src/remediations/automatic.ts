import { and, eq, isNotNull, sql } from "drizzle-orm";
import type { ProbeRow } from "../agents/probe.table.js";
import { withItem } from "../agents/with-item.js";
import type { Module } from "../engine/engine.js";
import { OPEN } from "../incidents/incident.state.js";
import { type App, systemScope } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, act } from "../kernel/command.js";
import { readPreview } from "./attach-previews.js";
import { wouldAllow } from "./claim.js";
import { STABILITY_MS } from "./limits.js";
import { type Move, moveRuns } from "./move-runs.js";
import { recordRefusals } from "./refusals.js";
import {
  remediationPolicies as policies,
  type RemediationRunRow,
  remediationRuns as runs,
} from "./remediation.table.js";
import { resolveRemedy } from "./remediation-kind.js";
import { openRuns, type Plan } from "./request.js";
import { type Refusal, refusal } from "./safety.js";
import { startRuns } from "./start-runs.js";
import type { Subject } from "./subject.js";

const BATCH = 100;
/** The name under which automation acts. */
const POLICY = "policy";

/**
 * Automation, step one: what is hard-bad, has an open incident and an AUTOMATIC policy, and no live run, gets a run and
 * its preview; or the incident is told which rule refuses, once. Each step takes the next page of candidates, so that
 * refused ones never keep the others waiting.
 */
export function proposeRuns(app: App): Module {
  let after: Position | null = null;
  return {
    name: "propose automatic remediations",
    batch: BATCH,
    everyMs: 1000,
    wakeOn: (topic) =>
      topic === "states" ||
      topic === "incident.reopened" ||
      topic === "processing.resumed" ||
      topic.startsWith("remediation."),
    async step() {
      const candidates = await findCandidates(app, after);
      after = candidates.length === BATCH ? positionOf(candidates.at(-1)!) : null;
      if (candidates.length > 0) await act(systemScope(app, POLICY), (tools) => propose(tools, candidates));
      return candidates.length;
    },
  };
}

/** Believed to be bad, and bad when last seen: what has begun to recover is left in peace. */
const IS_BAD = "p.rules->'raiseOn' ? s.hard_status AND p.rules->'raiseOn' ? s.status";

interface Candidate {
  agentId: string;
  agentName: string;
  isConnected: boolean;
  probeId: string;
  item: string;
  incidentId: string;
  remediation: ProbeRow["remediation"];
}
type Position = Pick<Candidate, "agentId" | "probeId" | "item">;
const positionOf = ({ agentId, probeId, item }: Candidate): Position => ({ agentId, probeId, item });

/** A fix that nobody yet knows to hold is judged first, by `watch-fixes.ts`: a relapse may open the breaker. */
const CANDIDATES = {
  name: "remediation_candidates",
  text: `SELECT s.agent_id AS "agentId", a.name AS "agentName", a.status = 'ONLINE' AS "isConnected", s.probe_id AS "probeId",
      s.item, i.id AS "incidentId", p.remediation
    FROM remediation_policies pol
    JOIN probes p ON p.id = pol.probe_id AND p.enabled
    JOIN probe_state s ON s.probe_id = p.id AND s.incident_id IS NOT NULL AND ${IS_BAD}
    JOIN agents a ON a.id = s.agent_id
    JOIN incidents raised ON raised.id = s.incident_id
    JOIN incidents i ON i.id = coalesce(raised.merged_into_id, raised.id)
    WHERE pol.mode = 'AUTOMATIC' AND i.status IN ${OPEN}
      AND ($1::uuid IS NULL OR (s.agent_id, s.probe_id, s.item) > ($1, $2::uuid, $3::text))
      AND NOT EXISTS (
        SELECT FROM remediation_runs r
        WHERE r.agent_id = s.agent_id AND r.probe_id = s.probe_id AND r.item = s.item
          AND (r.finished_at IS NULL OR
              r.status = 'SUCCEEDED' AND r.held IS NULL AND r.finished_at > now() - make_interval(secs => $5)))
    ORDER BY s.agent_id, s.probe_id, s.item LIMIT $4`,
};

async function findCandidates({ database }: App, after: Position | null): Promise<Candidate[]> {
  const { rows } = await database.pool.query<Candidate>({
    ...CANDIDATES,
    values: [after?.agentId ?? null, after?.probeId ?? null, after?.item ?? null, BATCH, STABILITY_MS / 1000],
  });
  return rows;
}

async function propose(act: Act, candidates: Candidate[]): Promise<void> {
  const planned = candidates.map((candidate) => ({ candidate, plan: planFor(candidate) }));
  const plans = planned.flatMap(({ plan }) => ("remedy" in plan ? plan : []));
  const verdicts = await wouldAllow(
    act,
    plans.map(({ subject, remedy }) => ({ ...remedy, agentId: subject.agent.id, probeId: subject.probeId })),
  );
  const refused = new Map<Plan, Refusal>();
  for (const [i, verdict] of verdicts.entries()) if (!verdict.allowed) refused.set(plans[i]!, verdict);
  await openRuns(
    act,
    plans.filter((plan) => !refused.has(plan)),
    { automatic: true },
  );
  await recordRefusals(
    act,
    planned.flatMap(({ candidate: { incidentId }, plan }) => {
      const why = "remedy" in plan ? refused.get(plan) : plan;
      return why ? { incidentId, refusal: why } : [];
    }),
  );
}

function planFor(candidate: Candidate): Plan | Refusal {
  const { agentId, agentName, isConnected, probeId, item, incidentId, remediation } = candidate;
  if (!remediation) return refusal("not-automatic", "the probe names no remediation; give it one.");
  const subject: Subject = { agent: { id: agentId, name: agentName, isConnected }, probeId, item, incidentId };
  try {
    return { subject, remedy: resolveRemedy(remediation.kind, withItem(remediation.input, item)) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return refusal("not-automatic", `the probe's remediation cannot be used: ${error.message}`);
  }
}

/** Automation, step two: runs whose preview is there begin, if the preview says so and the safety policy still allows it. */
export const startAutomaticRuns = (app: App): Module => ({
  name: "start automatic remediations",
  batch: BATCH,
  everyMs: 1000,
  wakeOn: (topic) => topic === "previews",
  step: () => act(systemScope(app, POLICY), startPreviewed),
});

async function startPreviewed(act: Act): Promise<number> {
  const waiting = await lockPreviewed(act);
  if (waiting.length === 0) return 0;
  const over = waiting.filter(({ isOver }) => isOver).map(({ run }) => run);
  const ready = waiting.filter(({ isOver, isBad }) => !isOver && isBad).map(({ run }) => run);
  const unfit = ready.flatMap((run) => unfitPreview(run) ?? []);
  await moveRuns(act, [...over.map(recovered), ...unfit.map(refusedByPreview)]);
  const fit = ready.filter((run) => !unfit.some(({ run: { id } }) => id === run.id));
  const { decisions, queued } = await startRuns(act, fit, "automation");
  await recordRefusals(
    act,
    fit.flatMap(({ incidentId }, i) => {
      const decision = decisions[i]!;
      return decision.allowed || !incidentId ? [] : { incidentId, refusal: decision };
    }),
  );
  return over.length + unfit.length + queued.length;
}

/** With what is true of their trouble by now. A run whose policy was taken away waits for a person. */
function lockPreviewed({ db }: Act): Promise<{ run: RemediationRunRow; isBad: boolean; isOver: boolean }[]> {
  const state = (condition: string) => sql<boolean>`exists (
    select from probe_state s join probes p on p.id = s.probe_id
    where s.agent_id = ${runs.agentId} and s.probe_id = ${runs.probeId} and s.item = ${runs.item} and ${sql.raw(condition)})`;
  return db
    .select({
      run: runs,
      isBad: state(IS_BAD),
      isOver: sql<boolean>`not ${state("p.rules->'raiseOn' ? s.hard_status")}`,
    })
    .from(runs)
    .innerJoin(policies, and(eq(policies.probeId, runs.probeId), eq(policies.mode, "AUTOMATIC")))
    .where(and(eq(runs.status, "AWAITING_APPROVAL"), eq(runs.automatic, true), isNotNull(runs.preview)))
    .orderBy(runs.requestedAt)
    .limit(BATCH)
    .for("update", { of: runs, skipLocked: true });
}

const recovered = ({ id, status, target }: RemediationRunRow): Move => {
  const summary = `${target} recovered before automation began`;
  return { id, from: status, to: "CANCELLED", summary, event: { type: "remediation.cancelled", summary } };
};

interface Unfit {
  run: RemediationRunRow;
  refusal: Refusal;
}

function unfitPreview(run: RemediationRunRow): Unfit | null {
  const { possible, refusals, reason } = readPreview(run.preview);
  if (possible && refusals.length === 0) return null;
  const why = possible ? `the preview says it would be refused: ${refusals.join("; ")}` : `no preview: ${reason}`;
  return { run, refusal: refusal("not-automatic", `${why}. A person has to look.`) };
}

const refusedByPreview = ({ run, refusal: { message, rule } }: Unfit): Move => ({
  id: run.id,
  from: run.status,
  to: "REFUSED",
  summary: message,
  event: { type: "remediation.refused", summary: message, payload: { rule } },
});
