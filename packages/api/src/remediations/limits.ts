import { LEASE_MS } from "../agents/agent-session.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A preview that has not begun by then is not waited for. */
export const PREVIEW_WITHIN_MS = 30 * SECOND;
export const PREVIEW_TIMEOUT_MS = 30 * SECOND;
/** A command that has not begun by then is refused by its agent. */
export const START_WITHIN_MS = 30 * SECOND;
/** The agent's clock may be this far off when it judges `startBy`, so the server gives up no earlier. */
export const CLOCK_TOLERANCE_MS = 35 * SECOND;
/** An approval is for the trouble of today. */
export const APPROVAL_WITHIN_MS = 24 * HOUR;
/** What automation could not begin by then, it judges anew. */
export const AUTOMATION_WITHIN_MS = 10 * MINUTE;
/**
 * A silent agent stops what it runs when its own lease is over. It may notice the silence later than we do and needs time
 * for INT, TERM and KILL: only then may its target be given to somebody else.
 */
export const SILENCE_MS = LEASE_MS + 1 * MINUTE;
/** A living agent that is this much over the act's time limit has lost the command. */
export const OVERRUN_MS = 1 * MINUTE;
/** A fix that fails again within this time did not help. */
export const STABILITY_MS = 5 * MINUTE;
/** How long an open breaker keeps automation away. */
export const BREAKER_OPEN_MS = 1 * HOUR;
/** How long a report of a given-up run is still expected: longer than any agent keeps its spool. */
export const LATE_REPORTS_MS = 7 * 24 * HOUR;

/** What holds for a probe that has no policy of its own. */
export const DEFAULT_POLICY = {
  cooldownMs: 10 * MINUTE,
  maxAttempts: 3,
  windowMs: 24 * HOUR,
  breakerAfter: 2,
  maxShare: 0.05,
} as const;
