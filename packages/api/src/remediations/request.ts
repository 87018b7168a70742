import { and, eq, isNull } from "drizzle-orm";
import { z } from "zod";
import { issueCommand } from "../agents/issue-command.js";
import type { Db } from "../db/database.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, command } from "../kernel/command.js";
import { uuid } from "../kernel/uuid.js";
import { PREVIEW_TIMEOUT_MS, PREVIEW_WITHIN_MS } from "./limits.js";
import { type RemediationRunRow, remediationRuns as runs } from "./remediation.table.js";
import { type Remedy, redactInput } from "./remediation-kind.js";
import { onTimelines } from "./run-event.js";
import { findSubject, type Subject } from "./subject.js";

/** Asks for a remediation. It is previewed at once, and begins when somebody with `remediation:decide` approves. */
export const requestRemediation = command({
  permission: "remediation:request",
  input: z.object({
    incidentId: z
      .uuid()
      .optional()
      .describe("The incident to fix; its probe names the remediation unless `kind` does."),
    agentId: uuid().optional().describe("Where it runs; absent, the agent whose probe raised the incident."),
    probeId: uuid().optional().describe("The probe that verifies it; absent, the one that raised the incident."),
    kind: z.string().max(200).optional().describe("`<plugin>.<remediation>`; absent, the one the probe names."),
    input: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("Its input; the text {item} is replaced by the failing item."),
  }),
  async run(act, given) {
    const { subject, remedy } = await findSubject(act.db, given);
    const [run] = await openRuns(act, [{ subject, remedy }], { automatic: false });
    if (!run) throw await alreadyLive(act.db, subject, remedy);
    return { run };
  },
});

export interface Plan {
  subject: Subject;
  remedy: Remedy;
}

/**
 * Makes runs and has them previewed. A target that has a live run already is left out: the partial unique index decides
 * the race.
 */
export async function openRuns(
  act: Act,
  plans: Plan[],
  { automatic }: { automatic: boolean },
): Promise<RemediationRunRow[]> {
  if (plans.length === 0) return [];
  const opened = await act.db
    .insert(runs)
    .values(plans.map((plan) => newRun(act, plan, automatic)))
    .onConflictDoNothing()
    .returning();
  const previewed: RemediationRunRow[] = [];
  for (const run of opened) {
    const { subject } = plans.find(({ subject: { agent }, remedy }) => isFor(run, agent.id, remedy.target))!;
    previewed.push(await orderPreview(act, run, subject));
  }
  const summary = (run: RemediationRunRow) => `${run.requestedBy} requested ${run.kind} of ${run.target}`;
  const events = await onTimelines(
    act.db,
    previewed.map((run) => ({
      run,
      type: "remediation.requested",
      summary: summary(run),
      payload: { input: redactInput(run.input), risk: run.risk },
    })),
  );
  for (const event of events) act.emit(event);
  return previewed;
}

const isFor = (run: RemediationRunRow, agentId: string, target: string) =>
  run.agentId === agentId && run.target === target;

const newRun = ({ scope, now }: Act, { subject, remedy }: Plan, automatic: boolean): typeof runs.$inferInsert => ({
  kind: remedy.kind,
  target: remedy.target,
  input: remedy.input,
  risk: remedy.manifest.risk,
  status: "AWAITING_APPROVAL",
  automatic,
  agentId: subject.agent.id,
  probeId: subject.probeId,
  item: subject.item,
  incidentId: subject.incidentId,
  requestedBy: scope.principal.name,
  requestedAt: now,
});

async function orderPreview(act: Act, run: RemediationRunRow, { agent }: Subject): Promise<RemediationRunRow> {
  const change = agent.isConnected
    ? { previewCommandId: await commandPreview(act, run) }
    : { preview: cannotPreview(`agent ${agent.name} is not connected`) };
  const [changed] = await act.db.update(runs).set(change).where(eq(runs.id, run.id)).returning();
  return changed!;
}

async function commandPreview(act: Act, { agentId, kind, input, target }: RemediationRunRow): Promise<string> {
  const { id } = await issueCommand(act, {
    agentId,
    kind: "PREVIEW",
    startWithinMs: PREVIEW_WITHIN_MS,
    remediation: kind,
    input,
    target,
    timeoutMs: PREVIEW_TIMEOUT_MS,
  });
  return id;
}

/** The honest form of a preview that there is none of. */
const cannotPreview = (reason: string) => ({ possible: false as const, reason });

async function alreadyLive(db: Db, { agent }: Subject, { target }: Remedy): Promise<AppError> {
  const [live] = await db
    .select()
    .from(runs)
    .where(and(eq(runs.agentId, agent.id), eq(runs.target, target), isNull(runs.finishedAt)));
  const which = live ? `run ${live.id} is ${live.status}` : "another run was made a moment ago";
  return new AppError("CONFLICT", `${target} on ${agent.name} has a live run already: ${which}. Decide or cancel it.`, {
    runId: live?.id,
  });
}
