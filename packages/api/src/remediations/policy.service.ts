import { eq } from "drizzle-orm";
import { z } from "zod";
import { probes } from "../agents/probe.table.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, command } from "../kernel/command.js";
import { duration } from "../kernel/durations.js";
import { uuid } from "../kernel/uuid.js";
import { DEFAULT_POLICY } from "./limits.js";
import { POLICY_MODES, remediationPolicies as policies } from "./remediation.table.js";
import { manifestOf } from "./remediation-kind.js";

const DAY = 86_400_000;

/** Sets how a probe's remediation may run. What is not given takes the default, also when there is a policy already. */
export const setRemediationPolicy = command({
  permission: "policy:write",
  input: z.object({
    probeId: uuid().describe("The probe whose remediation it is."),
    mode: z.enum(POLICY_MODES).describe("AUTOMATIC begins by itself, within the safety rules."),
    cooldown: duration(1000, 7 * DAY)
      .optional()
      .describe("From the end of any run on a target to the next automatic one. Default 10m."),
    maxAttempts: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe("Runs on a target per window, a person's counted too, after which none is automatic. Default 3."),
    window: duration(60_000, 30 * DAY)
      .optional()
      .describe("What maxAttempts counts in. Default 24h."),
    breakerAfter: z.int().min(1).max(20).optional().describe("Fixes in a row that did not help. Default 2."),
    maxShare: z
      .number()
      .gt(0)
      .max(1)
      .optional()
      .describe("Of the service's (or probe's) targets under repair at once; one always may be. Default 0.05."),
  }),
  async run(act, { probeId, mode, cooldown, maxAttempts, window, breakerAfter, maxShare }) {
    const probe = await fittingProbe(act, probeId, mode);
    const limits = {
      mode,
      cooldownMs: cooldown ?? DEFAULT_POLICY.cooldownMs,
      maxAttempts: maxAttempts ?? DEFAULT_POLICY.maxAttempts,
      windowMs: window ?? DEFAULT_POLICY.windowMs,
      breakerAfter: breakerAfter ?? DEFAULT_POLICY.breakerAfter,
      maxShare: maxShare ?? DEFAULT_POLICY.maxShare,
      updatedAt: act.now,
      updatedBy: act.scope.principal.name,
    };
    const [policy] = await act.db
      .insert(policies)
      .values({ probeId, ...limits })
      .onConflictDoUpdate({ target: policies.probeId, set: limits })
      .returning();
    act.emit({
      type: "remediation.policy_set",
      summary: `Remediation policy of probe "${probe.name}" is ${mode}`,
      serviceId: probe.serviceId,
      payload: { probeId, ...limits },
    });
    return { policy: policy! };
  },
});

export const deleteRemediationPolicy = command({
  permission: "policy:write",
  input: z.object({ id: uuid() }),
  async run({ db, emit }, { id }) {
    const [policy] = await db.delete(policies).where(eq(policies.id, id)).returning();
    if (!policy) throw new AppError("NOT_FOUND", `There is no remediation policy ${id}.`, { field: "id" });
    emit({
      type: "remediation.policy_deleted",
      summary: "Remediation policy removed; approval is needed again",
      payload: { probeId: policy.probeId },
    });
    return { deletedId: id };
  },
});

/** What could never run automatically is refused here, and not first at night when it fails. */
async function fittingProbe({ db }: Act, id: string, mode: (typeof POLICY_MODES)[number]) {
  const [probe] = await db.select().from(probes).where(eq(probes.id, id));
  if (!probe) throw new AppError("NOT_FOUND", `There is no probe ${id}.`, { field: "probeId" });
  const never = mode === "AUTOMATIC" ? whyNeverAutomatic(probe.remediation?.kind) : null;
  if (never)
    throw new AppError("REFUSED_BY_POLICY", `not-automatic: ${never}`, { field: "mode", rule: "not-automatic" });
  return probe;
}

function whyNeverAutomatic(kind: string | undefined): string | null {
  if (!kind) return "the probe names no remediation; give it one first.";
  const { risk, idempotent, reversible } = manifestOf(kind);
  if (risk === "R3") return `${kind} has risk R3, which always needs a person.`;
  if (!idempotent && reversible !== true) return `${kind} is neither idempotent nor can it be rolled back.`;
  return null;
}
