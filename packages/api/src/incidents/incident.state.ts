/**
 * The life of an incident.
 *
 * TRIGGERED waits for a person; ACKNOWLEDGED has one; SNOOZED comes back as TRIGGERED when its time is over;
 * RESOLVED can be reopened; MERGED is final, its cause lives on in another incident.
 */
export const INCIDENT_STATUSES = ["TRIGGERED", "ACKNOWLEDGED", "SNOOZED", "RESOLVED", "MERGED"] as const;
export type IncidentStatus = (typeof INCIDENT_STATUSES)[number];

export const OPEN_STATUSES = ["TRIGGERED", "ACKNOWLEDGED", "SNOOZED"] as const satisfies readonly IncidentStatus[];
/** The same as SQL, for `status IN ${OPEN}`. The index of `incident.table.ts` has it as the migrations wrote it. */
export const OPEN = `(${OPEN_STATUSES.map((status) => `'${status}'`).join(", ")})`;

export type IncidentAction = "acknowledge" | "snooze" | "wake" | "resolve" | "reopen" | "merge" | "edit" | "note";

/** What each action makes of each status. */
export const TRANSITIONS: Record<IncidentAction, Record<IncidentStatus, IncidentStatus | "REFUSED">> = {
  acknowledge: {
    TRIGGERED: "ACKNOWLEDGED",
    ACKNOWLEDGED: "REFUSED",
    SNOOZED: "ACKNOWLEDGED",
    RESOLVED: "REFUSED",
    MERGED: "REFUSED",
  },
  snooze: { TRIGGERED: "SNOOZED", ACKNOWLEDGED: "SNOOZED", SNOOZED: "SNOOZED", RESOLVED: "REFUSED", MERGED: "REFUSED" },
  wake: { TRIGGERED: "REFUSED", ACKNOWLEDGED: "REFUSED", SNOOZED: "TRIGGERED", RESOLVED: "REFUSED", MERGED: "REFUSED" },
  resolve: {
    TRIGGERED: "RESOLVED",
    ACKNOWLEDGED: "RESOLVED",
    SNOOZED: "RESOLVED",
    RESOLVED: "REFUSED",
    MERGED: "REFUSED",
  },
  reopen: {
    TRIGGERED: "REFUSED",
    ACKNOWLEDGED: "REFUSED",
    SNOOZED: "REFUSED",
    RESOLVED: "TRIGGERED",
    MERGED: "REFUSED",
  },
  merge: { TRIGGERED: "MERGED", ACKNOWLEDGED: "MERGED", SNOOZED: "MERGED", RESOLVED: "MERGED", MERGED: "REFUSED" },
  // Assignment and severity leave the status alone.
  edit: {
    TRIGGERED: "TRIGGERED",
    ACKNOWLEDGED: "ACKNOWLEDGED",
    SNOOZED: "SNOOZED",
    RESOLVED: "REFUSED",
    MERGED: "REFUSED",
  },
  // A post-mortem is written after the end; on what was merged away nobody would find it.
  note: {
    TRIGGERED: "TRIGGERED",
    ACKNOWLEDGED: "ACKNOWLEDGED",
    SNOOZED: "SNOOZED",
    RESOLVED: "RESOLVED",
    MERGED: "REFUSED",
  },
};

/** The statuses from which an action is allowed. */
export const allowedFrom = (action: IncidentAction): IncidentStatus[] =>
  INCIDENT_STATUSES.filter((status) => TRANSITIONS[action][status] !== "REFUSED");
