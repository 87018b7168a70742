/**
 * The life of a remediation run. It waits for approval or is queued by policy, is queued to its agent, runs, and is
 * verified by the probe that failed. Exactly one terminal status is ever recorded.
 */
export const RUN_STATUSES = [
  "AWAITING_APPROVAL",
  "QUEUED",
  "RUNNING",
  "VERIFYING",
  "SUCCEEDED",
  "FAILED",
  "DID_NOT_HELP",
  "REJECTED",
  "CANCELLED",
  "REFUSED",
  "TIMED_OUT",
  "INTERRUPTED",
  "LOST",
  "EXPIRED",
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

export const LIVE_RUN_STATUSES = [
  "AWAITING_APPROVAL",
  "QUEUED",
  "RUNNING",
  "VERIFYING",
] as const satisfies readonly RunStatus[];
