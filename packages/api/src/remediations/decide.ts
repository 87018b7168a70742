import { eq } from "drizzle-orm";
import { z } from "zod";
import { agentCommands } from "../agents/agent.table.js";
import { issueCommand } from "../agents/issue-command.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, command } from "../kernel/command.js";
import { uuid } from "../kernel/uuid.js";
import { SILENCE_MS } from "./limits.js";
import { lockRuns, type Move, moveRuns } from "./move-runs.js";
import type { RemediationRunRow } from "./remediation.table.js";
import { declarationsOf } from "./remediation-kind.js";
import type { RunStatus } from "./run.state.js";
import { onTimelines } from "./run-event.js";
import type { Refusal } from "./safety.js";
import { startRuns } from "./start-runs.js";

const input = z.object({
  id: uuid().describe("The run."),
  reason: z.string().trim().min(1).max(2000).optional().describe("Why; overrides an open breaker when approving."),
});

/**
 * A person lets it begin, as far as the safety policy allows. A refusal is an answer, not an exception: it stands in the
 * log as an event, and the run goes on waiting.
 */
export const approveRemediation = command({
  permission: "remediation:decide",
  input,
  async run(act, { id, reason = null }): Promise<{ run: RemediationRunRow; refusal: AppError | null }> {
    const run = await lockRun(act, id, "approve", ["AWAITING_APPROVAL"]);
    const { kind, name } = act.scope.principal;
    const by = kind === "token" ? { person: name, reason } : "automation";
    const { decisions, queued } = await startRuns(act, [run], by);
    const decision = decisions[0]!;
    if (decision.allowed) return { run: queued[0]!, refusal: null };
    await tellRefusal(act, run, decision);
    const { message, rule, retryAt } = decision;
    return { run, refusal: new AppError("REFUSED_BY_POLICY", message, { rule, retryAt }) };
  },
});

export const rejectRemediation = command({
  permission: "remediation:decide",
  input,
  async run(act, { id, reason = null }) {
    const run = await lockRun(act, id, "reject", ["AWAITING_APPROVAL"]);
    const who = act.scope.principal.name;
    const summary = `${who} rejected ${run.kind} of ${run.target}${reason ? `: ${reason}` : ""}`;
    return { run: await end(act, run, "REJECTED", summary, reason) };
  },
});

/**
 * Calls it off. What waits ends now. What may be running already is cancelled by its agent, and the end that the agent
 * reports decides, with the processes that survived it.
 */
export const cancelRemediation = command({
  permission: "remediation:decide",
  input,
  async run(act, { id, reason = null }) {
    const run = await lockRun(act, id, "cancel", ["AWAITING_APPROVAL", "QUEUED", "RUNNING", "VERIFYING"]);
    const who = act.scope.principal.name;
    const because = reason ? `: ${reason}` : "";
    if (run.commandId) await commandCancel(act, run);
    switch (run.status) {
      case "AWAITING_APPROVAL":
        return { run: await end(act, run, "CANCELLED", `${who} cancelled it before it began${because}`, reason) };
      case "VERIFYING":
        return { run: await end(act, run, "CANCELLED", `${who} gave the verification up${because}`, reason) };
      default:
        await tell(act, run, {
          type: "remediation.cancel_requested",
          summary: `${who} cancels ${run.kind} of ${run.target}${because}; the agent's report decides`,
          payload: { reason },
        });
        return { run };
    }
  },
});

async function lockRun(act: Act, id: string, verb: string, allowed: RunStatus[]): Promise<RemediationRunRow> {
  const [run] = await lockRuns(act, [id]);
  if (!run) throw new AppError("NOT_FOUND", `There is no remediation run ${id}.`, { field: "id" });
  if (allowed.includes(run.status)) return run;
  const by = run.decidedBy ? `, decided by ${run.decidedBy}` : "";
  throw new AppError("CONFLICT", `Run ${id} is ${run.status}${by}; ${verb} needs ${allowed.join(" or ")}.`, {
    field: "id",
    status: run.status,
  });
}

async function end(
  act: Act,
  run: RemediationRunRow,
  to: "REJECTED" | "CANCELLED",
  summary: string,
  reason: string | null,
): Promise<RemediationRunRow> {
  const event = { type: `remediation.${to.toLowerCase()}`, summary, payload: { reason } };
  const move: Move = { id: run.id, from: run.status, to, decidedBy: act.scope.principal.name, reason, summary, event };
  const [ended] = await moveRuns(act, [move]);
  return ended!;
}

/** An agent that is away goes on until its lease is over, or comes back and goes on: it is told as long as the act may run. */
async function commandCancel(act: Act, { agentId, commandId, kind, target }: RemediationRunRow): Promise<void> {
  const { id, fencingToken } = agentCommands;
  const [cancelled] = await act.db.select({ fencingToken }).from(agentCommands).where(eq(id, commandId!));
  await issueCommand(act, {
    agentId,
    kind: "CANCEL",
    ...cancelled,
    startWithinMs: SILENCE_MS + declarationsOf(kind).timeoutMs,
    cancels: commandId!,
    target,
  });
}

const tellRefusal = (act: Act, run: RemediationRunRow, { rule, message, retryAt }: Refusal) =>
  tell(act, run, { type: "remediation.refused", summary: message, payload: { rule, retryAt } });

async function tell(
  act: Act,
  run: RemediationRunRow,
  event: { type: string; summary: string; payload: Record<string, unknown> },
): Promise<void> {
  for (const told of await onTimelines(act.db, [{ run, ...event }])) act.emit(told);
}
