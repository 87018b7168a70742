/**
 * The life of a remediation run.
 *
 * AWAITING_APPROVAL waits for a person, or for the preview that the policy wants to see. QUEUED holds its target's lock and
 * waits for its agent, RUNNING acts, VERIFYING watches the probe. Exactly one terminal status is ever recorded, and
 * nothing follows it.
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

/** Hold the target's lock, and count as "at once" for the blast radius. */
export const ACTING_RUN_STATUSES = ["QUEUED", "RUNNING", "VERIFYING"] as const satisfies readonly RunStatus[];

/** What may follow each status. */
const NEXT: Record<RunStatus, readonly RunStatus[]> = {
  AWAITING_APPROVAL: ["QUEUED", "REJECTED", "CANCELLED", "REFUSED", "EXPIRED"],
  QUEUED: ["RUNNING", "FAILED", "CANCELLED", "REFUSED", "TIMED_OUT", "INTERRUPTED", "EXPIRED"],
  RUNNING: ["VERIFYING", "SUCCEEDED", "FAILED", "CANCELLED", "REFUSED", "TIMED_OUT", "INTERRUPTED", "LOST"],
  VERIFYING: ["SUCCEEDED", "DID_NOT_HELP", "CANCELLED"],
  SUCCEEDED: [],
  FAILED: [],
  DID_NOT_HELP: [],
  REJECTED: [],
  CANCELLED: [],
  REFUSED: [],
  TIMED_OUT: [],
  INTERRUPTED: [],
  LOST: [],
  EXPIRED: [],
};

export const isTerminal = (status: RunStatus): boolean => NEXT[status].length === 0;

/** Every allowed step as `FROM>TO`: the condition of the one update that changes a status. */
export const ALLOWED_STEPS: readonly string[] = RUN_STATUSES.flatMap((from) => NEXT[from].map((to) => `${from}>${to}`));
