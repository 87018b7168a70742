import { createHash } from "node:crypto";
import type { OutcomeStatus } from "@poppo-ops/plugins/wire";
import type { Assignment } from "./assignment.js";

type Schedule = Pick<Assignment, "probeId" | "intervalMs" | "retryIntervalMs" | "maxAttempts">;

/** A fraction from 0 up to 1 that is the same for this probe on every start: it spreads probes over their interval. */
function phaseOf(probeId: string): number {
  return createHash("sha256").update(probeId).digest().readUInt32LE(0) / 2 ** 32;
}

const FIRST_RUN_WITHIN_MS = 1000;
/** Probes start at whole seconds of the agent's clock, or at a tenth of their interval: what is due together is reported together. */
const slotOf = (intervalMs: number): number => Math.min(1000, intervalMs / 10);

/** A new assignment shows data within a second; still spread, so that twenty probes do not start as one. */
export const firstRunAt = ({ probeId, intervalMs }: Schedule, now: number): number =>
  now + phaseOf(probeId) * Math.min(intervalMs, FIRST_RUN_WITHIN_MS);

/**
 * When to run next. While a trouble is young it is looked at more often (`retryIntervalMs`, `maxAttempts` times);
 * otherwise the next point of the probe's grid that has not passed, so that a late run is skipped, never made up for.
 * @param attempts consecutive runs that were not good
 */
export function nextRunAt(schedule: Schedule, attempts: number, now: number): number {
  if (attempts > 0 && attempts < schedule.maxAttempts) return now + schedule.retryIntervalMs;
  const { intervalMs, probeId } = schedule;
  const slot = slotOf(intervalMs);
  const phase = Math.floor((phaseOf(probeId) * intervalMs) / slot) * slot;
  return Math.ceil((now - phase + 1) / intervalMs) * intervalMs + phase;
}

export const isGood = (status: OutcomeStatus): boolean =>
  status === "OK" || status === "NOT_APPLICABLE" || status === "INTERRUPTED";
