import type { OutcomeStatus } from "@poppo-ops/plugins/wire";
import type { SignalRules } from "./signal-rules.js";

/**
 * Where the state machine of one probed thing stands.
 *
 * `problem` is what was signalled; outcomes that contradict it are counted by `attempt` (soft) until there are enough of
 * them to change it (hard). `hardStatus` is the status last believed; `since` is when the current good or bad streak began.
 */
export interface SignalState {
  status: OutcomeStatus;
  hardStatus: OutcomeStatus;
  problem: boolean;
  attempt: number;
  since: number;
  /** The last 20 verdicts, one bit each, newest lowest: 1 when it differed from the one before. */
  changes: number;
  flapping: boolean;
  lastAt: number;
}

export type TransitionKind = "raise" | "worsen" | "recover" | "flapping-start" | "flapping-stop";

export interface Transition {
  kind: TransitionKind;
  reason: string;
}

export interface Evaluation {
  state: SignalState;
  transition: Transition | null;
}

/** What an outcome says about a problem. `unclear` neither confirms nor denies one; `gone` ends it. */
type Verdict = "good" | "bad" | "unclear" | "gone";

const WINDOW = 20;
const WINDOW_MASK = 2 ** WINDOW - 1;
/** Beyond the largest number any rule can ask for, counting on would only make unchanged states look changed. */
const MAX_ATTEMPT = 100;

/**
 * Moves the state machine by one outcome. Pure. Times are milliseconds.
 *
 * - A status of `raiseOn` is bad. UNKNOWN and TIMEOUT that are not in it are unclear: they are shown, and change nothing else.
 * - A problem is raised after `attempts` bad outcomes in a row that lasted `forMs`; it recovers after `recoveries` good ones.
 *   What was not seen for longer than `deadlineMs` may have been otherwise meanwhile: the outcomes are not in a row.
 * - INTERRUPTED says nothing. NOT_APPLICABLE ends a problem at once: the thing is gone.
 * - Flapping begins at `flapping.high` changes within 20 outcomes. Its next bad outcome raises at once, because a thing that
 *   fails every other time may never fail `attempts` times in a row. While it lasts nothing recovers, so nothing is raised twice.
 * - An outcome may make a believed problem worse (WARN → CRIT) at once: `worsen`.
 */
export function evaluate(
  before: SignalState | undefined,
  outcome: { status: OutcomeStatus; at: number },
  rules: SignalRules,
  deadlineMs: number,
): Evaluation {
  const { status, at } = outcome;
  const verdict = verdictOf(status, rules);
  const state = before ? resumed(before, at, deadlineMs) : initial(outcome, verdict);
  if (status === "INTERRUPTED") return still({ ...state, lastAt: at });
  if (verdict === "unclear") return still({ ...state, status, lastAt: at });
  if (verdict === "gone") return gone(state, outcome);
  const bad = verdict === "bad";
  const changed = before !== undefined && bad !== wasBad(before);
  const changes = ((state.changes << 1) | (changed ? 1 : 0)) & WINDOW_MASK;
  const contradicts = bad !== state.problem;
  const next: SignalState = {
    status,
    hardStatus: contradicts ? state.hardStatus : status,
    problem: state.problem,
    attempt: contradicts ? Math.min(state.attempt + 1, MAX_ATTEMPT) : 0,
    since: changed ? at : state.since,
    changes,
    flapping: isFlapping(state.flapping, changes, rules),
    lastAt: at,
  };
  return { state: next, transition: move(state, next, bad, rules) };
}

function move(before: SignalState, next: SignalState, bad: boolean, rules: SignalRules): Transition | null {
  if (!next.problem && bad) {
    if (next.flapping) return raise(next, flappingReason(next));
    if (isBelieved(next, rules)) return raise(next, badReason(next, rules));
  }
  if (next.problem && !bad && !next.flapping && next.attempt >= rules.recoveries) return recover(next, rules);
  if (next.flapping && !before.flapping) return { kind: "flapping-start", reason: flappingReason(next) };
  if (before.flapping && !next.flapping) return { kind: "flapping-stop", reason: "it is calm again" };
  if (before.problem && bad && rank(next.status) > rank(before.hardStatus))
    return { kind: "worsen", reason: `${before.hardStatus} became ${next.status}` };
  return null;
}

function raise(next: SignalState, reason: string): Transition {
  next.problem = true;
  next.hardStatus = next.status;
  next.attempt = 0;
  return { kind: "raise", reason };
}

function recover(next: SignalState, { recoveries }: SignalRules): Transition {
  next.problem = false;
  next.hardStatus = next.status;
  next.attempt = 0;
  return { kind: "recover", reason: `good ${times(recoveries)} in a row` };
}

function gone(state: SignalState, { status, at }: { status: OutcomeStatus; at: number }): Evaluation {
  const since = state.status === status ? state.since : at;
  return {
    state: { status, hardStatus: status, problem: false, attempt: 0, since, changes: 0, flapping: false, lastAt: at },
    transition: state.problem ? { kind: "recover", reason: "it is gone" } : null,
  };
}

/** The state with which an outcome of `at` goes on: a soft streak does not last over a time in which nobody looked. */
const resumed = (state: SignalState, at: number, deadlineMs: number): SignalState =>
  state.attempt > 0 && at - state.lastAt > deadlineMs ? { ...state, attempt: 0, since: at } : state;

const still = (state: SignalState): Evaluation => ({ state, transition: null });

const initial = ({ status, at }: { status: OutcomeStatus; at: number }, verdict: Verdict): SignalState => ({
  status,
  hardStatus: verdict === "bad" ? "NOT_APPLICABLE" : status,
  problem: false,
  attempt: 0,
  since: at,
  changes: 0,
  flapping: false,
  lastAt: at,
});

export function verdictOf(status: OutcomeStatus, rules: SignalRules): Verdict {
  if (status === "OK") return "good";
  if ((rules.raiseOn as readonly OutcomeStatus[]).includes(status)) return "bad";
  if (status === "NOT_APPLICABLE") return "gone";
  return status === "UNKNOWN" || status === "TIMEOUT" ? "unclear" : "good";
}

/** The last clear outcome was bad: it agreed with a problem, or contradicted that there is none. */
const wasBad = ({ problem, attempt }: SignalState): boolean => problem === (attempt === 0);

const isBelieved = ({ attempt, since, lastAt }: SignalState, { attempts, forMs }: SignalRules): boolean =>
  attempt >= attempts && lastAt - since >= forMs;

const isFlapping = (was: boolean, changes: number, { flapping }: SignalRules): boolean =>
  changes !== 0 && countBits(changes) >= (was ? flapping.low + 1 : flapping.high);

function countBits(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}

const rank = (status: OutcomeStatus): number =>
  status === "CRIT" || status === "TIMEOUT" ? 2 : status === "WARN" || status === "UNKNOWN" ? 1 : 0;

const flappingReason = ({ changes }: SignalState): string =>
  `flapping: ${countBits(changes)} changes within the last ${WINDOW} outcomes`;

const badReason = ({ attempt, since, lastAt }: SignalState, { forMs }: SignalRules): string =>
  `bad ${times(attempt)} in a row${forMs > 0 ? ` for ${Math.round((lastAt - since) / 1000)} s` : ""}`;

const times = (count: number): string => (count === 1 ? "once" : `${count} times`);
