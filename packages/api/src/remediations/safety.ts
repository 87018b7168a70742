import { formatDuration } from "../kernel/durations.js";
import type { Risk } from "./remediation.table.js";

/**
 * The safety policy: may this remediation begin now, and if not, which rule refuses?
 *
 * The rules are asked in this order; the first that refuses answers. Some hold for everyone, some only for automation:
 * a person who approves has looked, so approving overrides `cooldown` and `attempts`. An open breaker says that the fix
 * did not help before; a person may try once more by approving with a `reason`. Nobody overrides the kill switch, the
 * target's lock, the agent that is away, or the blast radius: those are about what is true now, not about judgement.
 *
 * Pure. `claim.ts` gathers the facts under one lock and makes the decision binding.
 */
export const RULES = [
  "processing-paused",
  "agent-not-connected",
  "risk-needs-person",
  "not-automatic",
  "breaker",
  "target-locked",
  "cooldown",
  "attempts",
  "blast-radius",
] as const;
export type Rule = (typeof RULES)[number];

export interface Refusal {
  allowed: false;
  rule: Rule;
  /** Names the rule, what is the case, and what to do. */
  message: string;
  /** When the rule will not refuse any more, if time alone changes it. */
  retryAt: Date | null;
}
export type Verdict = { allowed: true } | Refusal;
export type Decision = { allowed: true; fencingToken: number } | Refusal;

export interface Facts {
  now: Date;
  kind: string;
  target: string;
  risk: Risk;
  /** Who lets it begin: `automation`, or a person, with the reason given. */
  by: "automation" | { person: string; reason: string | null };
  /** There is a probe that will tell whether it helped. */
  isVerifiable: boolean;
  /** It can be undone, or doing it twice does no more than doing it once. */
  isRepeatable: boolean;
  processing: { reason: string | null; owner: string | null; until: Date | null } | null;
  agent: { name: string; isConnected: boolean; lastSeenAt: Date | null };
  lock: { runId: string; leaseUntil: Date } | null;
  failedVerifies: number;
  breakerOpenUntil: Date | null;
  lastFinishedAt: Date | null;
  /** Runs that began on the target within the window, and when the first of them did. */
  attempts: number;
  firstAttemptAt: Date | null;
  limits: { cooldownMs: number; maxAttempts: number; windowMs: number; maxShare: number };
  /** The targets of the same service, or of the probe when it has none; null when no probe watches. */
  group: { name: string; targets: number; busy: number } | null;
}

type Answer = { message: string; retryAt?: Date | null } | null;

/** Whom each rule holds for, and what it says. */
const CHECKS: Record<Rule, { holdsFor: (by: Facts["by"]) => boolean; ask: (facts: Facts) => Answer }> = {
  "processing-paused": { holdsFor: everyone, ask: processingPaused },
  "agent-not-connected": { holdsFor: everyone, ask: agentAway },
  "risk-needs-person": { holdsFor: automation, ask: riskTooHigh },
  "not-automatic": { holdsFor: automation, ask: preconditionMissing },
  breaker: { holdsFor: (by) => by === "automation" || !by.reason, ask: breakerOpen },
  "target-locked": { holdsFor: everyone, ask: targetLocked },
  cooldown: { holdsFor: automation, ask: coolingDown },
  attempts: { holdsFor: automation, ask: attemptsUsedUp },
  "blast-radius": { holdsFor: everyone, ask: tooManyAtOnce },
};

export function judge(facts: Facts): Verdict {
  for (const rule of RULES) {
    const { holdsFor, ask } = CHECKS[rule];
    const answer = holdsFor(facts.by) ? ask(facts) : null;
    if (answer) return refusal(rule, answer.message, answer.retryAt);
  }
  return { allowed: true };
}

export const refusal = (rule: Rule, message: string, retryAt: Date | null = null): Refusal => ({
  allowed: false,
  rule,
  message: `${rule}: ${message}`,
  retryAt,
});

function everyone(): boolean {
  return true;
}

function automation(by: Facts["by"]): boolean {
  return by === "automation";
}

function processingPaused({ processing }: Facts): Answer {
  if (!processing) return null;
  const { owner, reason, until } = processing;
  return {
    message: `${owner} paused processing${until ? ` until ${until.toISOString()}` : ""}: ${reason}. Nothing new begins until it is resumed.`,
    retryAt: until,
  };
}

function agentAway({ agent: { name, isConnected, lastSeenAt } }: Facts): Answer {
  if (isConnected) return null;
  const seen = lastSeenAt ? `was last seen at ${lastSeenAt.toISOString()}` : "has never been seen";
  return { message: `agent ${name} is not connected; it ${seen}. Try again when it is back.` };
}

function riskTooHigh({ kind, risk }: Facts): Answer {
  if (risk !== "R3") return null;
  return { message: `${kind} has risk R3, which automation never runs; a person has to approve it.` };
}

function preconditionMissing({ kind, isVerifiable, isRepeatable }: Facts): Answer {
  const missing = [
    ...(isVerifiable ? [] : ["a probe that verifies it"]),
    ...(isRepeatable ? [] : ["a rollback or being idempotent"]),
  ];
  if (missing.length === 0) return null;
  return { message: `${kind} lacks ${missing.join(" and ")}; a person has to approve it.` };
}

function breakerOpen({ now, kind, target, failedVerifies, breakerOpenUntil }: Facts): Answer {
  if (!breakerOpenUntil || breakerOpenUntil <= now) return null;
  return {
    message: `${kind} did not help ${target} ${times(failedVerifies)} in a row; the breaker is open until ${breakerOpenUntil.toISOString()}. A person may try once more by approving with a reason.`,
    retryAt: breakerOpenUntil,
  };
}

function targetLocked({ now, target, lock }: Facts): Answer {
  if (!lock || lock.leaseUntil <= now) return null;
  return { message: `run ${lock.runId} holds ${target}. Wait for its end, or cancel it.`, retryAt: lock.leaseUntil };
}

function coolingDown({ now, target, lastFinishedAt, limits: { cooldownMs } }: Facts): Answer {
  if (!lastFinishedAt) return null;
  const retryAt = new Date(lastFinishedAt.getTime() + cooldownMs);
  if (retryAt <= now) return null;
  return {
    message: `the last run on ${target} ended at ${lastFinishedAt.toISOString()}; automation waits ${formatDuration(cooldownMs)} between two. A person may approve one now.`,
    retryAt,
  };
}

function attemptsUsedUp({ target, attempts, firstAttemptAt, limits: { maxAttempts, windowMs } }: Facts): Answer {
  if (attempts < maxAttempts) return null;
  return {
    message: `${attempts} runs began on ${target} within ${formatDuration(windowMs)}; automation may begin ${maxAttempts}. A person may approve one now.`,
    retryAt: firstAttemptAt && new Date(firstAttemptAt.getTime() + windowMs),
  };
}

function tooManyAtOnce({ group, limits: { maxShare } }: Facts): Answer {
  if (!group) return null;
  const allowed = Math.max(1, Math.floor(group.targets * maxShare));
  if (group.busy < allowed) return null;
  return {
    message: `${group.busy} of the ${group.targets} targets of ${group.name} are under repair; at most ${allowed} (${maxShare * 100} %, at least 1) may be at once. Wait for one to end.`,
  };
}

const times = (count: number): string => (count === 1 ? "once" : `${count} times`);
