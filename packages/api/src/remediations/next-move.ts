import type { CommandEnd, OutcomeStatus } from "@poppo-ops/plugins/wire";
import { formatDuration } from "../kernel/durations.js";
import { verdictOf } from "../signals/evaluate.js";
import type { SignalRules } from "../signals/signal-rules.js";
import { APPROVAL_WITHIN_MS, AUTOMATION_WITHIN_MS, CLOCK_TOLERANCE_MS, OVERRUN_MS, SILENCE_MS } from "./limits.js";
import type { Move } from "./move-runs.js";
import type { RunStatus } from "./run.state.js";

/** A live run with what else decides where it goes: its command, its agent, the state of its probe. */
export interface RunView {
  id: string;
  status: RunStatus;
  kind: string;
  target: string;
  automatic: boolean;
  requestedAt: Date;
  isIncidentOver: boolean;
  startedAt: Date | null;
  verifyBy: Date | null;
  verifyAfter: Date | null;
  leaseUntil: Date | null;
  summary: string | null;
  /** Of the remediation's declaration. */
  timeoutMs: number;
  verifyWithinMs: number;
  agentName: string;
  lastSeenAt: Date | null;
  command: {
    startBy: Date;
    startedAt: Date | null;
    endedAt: Date | null;
    end: CommandEnd | null;
    summary: string | null;
    survivors: number[] | null;
  } | null;
  probe: { name: string; rules: SignalRules } | null;
  state: { status: OutcomeStatus; hardStatus: OutcomeStatus; lastAt: Date; summary: string } | null;
}

const later = (moment: Date, ms: number) => new Date(moment.getTime() + ms);

/**
 * The next step of a live run, or null while it has to wait. Pure.
 * @param watchedMs for how long agents could be heard. What their silence proves they were given the time to deny: each may
 *   need 64 s to come back, with its reports and results in its spool.
 */
export function nextMove(run: RunView, now: Date, watchedMs: number): Move | null {
  const step = nextStep(run, now, watchedMs);
  return step && { id: run.id, from: run.status, ...step };
}

type Step = Omit<Move, "id" | "from">;

function nextStep(run: RunView, now: Date, watchedMs: number): Step | null {
  switch (run.status) {
    case "AWAITING_APPROVAL":
      return overtaken(run) ?? expired(run, now);
    case "QUEUED":
      return started(run) ?? ended(run) ?? notStarted(run, now);
    case "RUNNING":
      return ended(run) ?? lost(run, now, watchedMs);
    case "VERIFYING":
      return verified(run, now, watchedMs);
    default:
      return null;
  }
}

function overtaken({ isIncidentOver }: RunView): Step | null {
  if (!isIncidentOver) return null;
  const summary = "its incident is over; there is nothing left to fix";
  return { to: "CANCELLED", summary, event: { type: "remediation.cancelled", summary } };
}

function expired({ automatic, requestedAt, target }: RunView, now: Date): Step | null {
  const withinMs = automatic ? AUTOMATION_WITHIN_MS : APPROVAL_WITHIN_MS;
  if (now < later(requestedAt, withinMs)) return null;
  const summary = automatic
    ? `automation could not begin on ${target} within ${formatDuration(withinMs)}`
    : `nobody approved it within ${formatDuration(withinMs)}`;
  return { to: "EXPIRED", summary, event: { type: "remediation.expired", summary } };
}

/** A report of the end alone says that it had started, too. */
function started({ kind, target, agentName, command }: RunView): Step | null {
  const startedAt = command?.startedAt ?? (command?.end === "SUCCEEDED" ? command.endedAt : null);
  if (!startedAt) return null;
  const event = { type: "remediation.started", summary: `${kind} of ${target} has started on ${agentName}` };
  return { to: "RUNNING", startedAt, event };
}

function ended(run: RunView): Step | null {
  const { command, kind, target } = run;
  if (!command?.end || !command.endedAt) return null;
  const { end, survivors } = command;
  const summary = command.summary ?? end;
  if (end !== "SUCCEEDED")
    return {
      to: end,
      summary,
      survivors,
      event: {
        type: `remediation.${end.toLowerCase()}`,
        summary: `${kind} of ${target} ended ${end}: ${summary}`,
        payload: { survivors, ...(end === "REFUSED" && { rule: "agent" }) },
      },
    };
  return run.probe ? verifying(run, command.endedAt, summary) : unverified(run, summary);
}

/**
 * The deadline runs from the act's end. What counts is an outcome later than the last one known now, by the agent's own
 * clock: comparing it with ours would believe an old outcome of an agent whose clock is ahead, and none of one behind.
 */
function verifying({ probe, state, verifyWithinMs }: RunView, endedAt: Date, summary: string): Step {
  const verifyBy = later(endedAt, verifyWithinMs);
  return {
    to: "VERIFYING",
    summary,
    verifyBy,
    verifyAfter: state?.lastAt ?? new Date(0),
    leaseUntil: later(verifyBy, SILENCE_MS + OVERRUN_MS),
    event: {
      type: "remediation.verifying",
      summary: `${summary}; "${probe!.name}" has ${formatDuration(verifyWithinMs)} to be green`,
    },
  };
}

function unverified({ kind, target }: RunView, done: string): Step {
  const summary = `${done}; not verified: no probe watches it`;
  return {
    to: "SUCCEEDED",
    summary,
    event: { type: "remediation.succeeded", summary: `${kind} of ${target}: ${summary}` },
  };
}

function verified(run: RunView, now: Date, watchedMs: number): Step | null {
  const { kind, target, probe, state, verifyAfter, summary } = run;
  if (!probe) return unverified(run, summary ?? kind);
  if (isGreen(run) && state!.lastAt > verifyAfter!) {
    const text = `${kind} of ${target} helped: "${probe.name}" is ${state!.status} (${state!.summary})`;
    return { to: "SUCCEEDED", event: { type: "remediation.verified", summary: text } };
  }
  if (!isVerificationOver(run, now, watchedMs)) return null;
  const seen = state
    ? `"${probe.name}" is ${state.hardStatus}${state.status === state.hardStatus ? "" : `, lately ${state.status}`}: ${state.summary}`
    : `"${probe.name}" has not reported`;
  const text = `fix did not help: ${seen}`;
  return {
    to: "DID_NOT_HELP",
    summary: `${summary ?? kind}; ${text}`,
    event: { type: "remediation.did_not_help", summary: text },
  };
}

/** The deadline alone says nothing: what was seen before it may still be on its way. An outcome after it, or a long silence, does. */
function isVerificationOver({ verifyBy, state }: RunView, now: Date, watchedMs: number): boolean {
  if (now <= verifyBy!) return false;
  const hasSeenLater = state !== null && state.lastAt > verifyBy!;
  return hasSeenLater || (now > later(verifyBy!, SILENCE_MS) && watchedMs >= SILENCE_MS);
}

/**
 * Green is a good outcome by the probe's own rules. Its incident takes longer: it resolves when the status is believed.
 * Whether the fix also holds is `watchFixes`'s to say.
 */
const isGreen = ({ probe, state }: RunView): boolean =>
  state !== null && verdictOf(state.status, probe!.rules) === "good";

function notStarted({ agentName, command }: RunView, now: Date): Step | null {
  if (!command || now < later(command.startBy, CLOCK_TOLERANCE_MS)) return null;
  const summary = `agent ${agentName} did not start it by ${command.startBy.toISOString()}`;
  return { to: "EXPIRED", summary, event: { type: "remediation.expired", summary } };
}

function lost(run: RunView, now: Date, watchedMs: number): Step | null {
  if (now <= (leaseOf(run) ?? now) || watchedMs < SILENCE_MS) return null;
  const { agentName, lastSeenAt, timeoutMs } = run;
  const silent = !lastSeenAt || now > later(lastSeenAt, SILENCE_MS);
  const summary = silent
    ? `agent ${agentName} is silent since ${lastSeenAt?.toISOString() ?? "ever"}; how it ended is not known`
    : `agent ${agentName} is there, but says nothing of it ${formatDuration(OVERRUN_MS)} after its time limit of ${formatDuration(timeoutMs)}`;
  return { to: "LOST", summary, event: { type: "remediation.lost", summary } };
}

/** A running act holds its target while its agent lives, but no longer than the act may take. */
export function leaseOf({ status, startedAt, lastSeenAt, timeoutMs }: RunView): Date | null {
  if (status !== "RUNNING" || !startedAt) return null;
  const alive = later(lastSeenAt ?? startedAt, SILENCE_MS);
  const limit = later(startedAt, timeoutMs + OVERRUN_MS);
  return new Date(Math.min(alive.getTime(), limit.getTime()));
}
