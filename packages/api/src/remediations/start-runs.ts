import { issueCommand } from "../agents/issue-command.js";
import type { Act } from "../kernel/command.js";
import { CLAIM_LEASE_MS, claim } from "./claim.js";
import { START_WITHIN_MS } from "./limits.js";
import { type Move, moveRuns } from "./move-runs.js";
import type { RemediationRunRow } from "./remediation.table.js";
import { declarationsOf } from "./remediation-kind.js";
import type { Decision, Facts } from "./safety.js";

/** How often the verifying probe runs while it is to tell whether the fix helped. */
const VERIFY_EVERY_MS = 1000;

/**
 * Lets approved runs begin as far as the safety policy allows: claims their targets and commands their agents. The runs
 * must be locked and AWAITING_APPROVAL.
 * @returns the decision on each, in their order
 */
export async function startRuns(
  act: Act,
  runs: RemediationRunRow[],
  by: Facts["by"],
): Promise<{ decisions: Decision[]; queued: RemediationRunRow[] }> {
  const decisions = await claim(
    act,
    runs.map((run) => ({ ...run, runId: run.id })),
    by,
  );
  const moves: Move[] = [];
  for (const [i, run] of runs.entries()) {
    const decision = decisions[i]!;
    if (decision.allowed) moves.push(queued(act, run, await commandRemedy(act, run, decision.fencingToken), by));
  }
  return { decisions, queued: await moveRuns(act, moves) };
}

async function commandRemedy(act: Act, run: RemediationRunRow, fencingToken: number): Promise<string> {
  const { agentId, kind, input, target, probeId } = run;
  const manifest = declarationsOf(kind);
  const { id } = await issueCommand(act, {
    agentId,
    kind: "REMEDIATE",
    fencingToken,
    startWithinMs: START_WITHIN_MS,
    remediation: kind,
    input,
    target,
    timeoutMs: manifest.timeoutMs,
    ...(probeId && { verify: { probeId, everyMs: VERIFY_EVERY_MS, forMs: manifest.verify.withinMs } }),
  });
  return id;
}

function queued({ now, scope }: Act, run: RemediationRunRow, commandId: string, by: Facts["by"]): Move {
  const decidedBy = by === "automation" ? scope.principal.name : by.person;
  const reason = by === "automation" ? null : by.reason;
  return {
    id: run.id,
    from: run.status,
    to: "QUEUED",
    commandId,
    decidedBy,
    reason,
    leaseUntil: new Date(now.getTime() + CLAIM_LEASE_MS),
    event: {
      type: "remediation.approved",
      summary: `${decidedBy} approved ${run.kind} of ${run.target}${reason ? `: ${reason}` : ""}`,
      payload: { decidedBy, reason },
    },
  };
}
