import { SEVERITIES, type Severity } from "../kernel/vocabulary.js";

/**
 * Our severity by theirs, unless an integration has its own map. "Critical" is P1: rules call a single failing instance
 * critical, and P0 stands for an outage that gets somebody out of bed; who means that says so.
 */
export const DEFAULT_SEVERITIES: Readonly<Record<string, Severity>> = {
  emergency: "P0",
  disaster: "P0",
  page: "P0",
  critical: "P1",
  error: "P1",
  high: "P1",
  warning: "P2",
  medium: "P2",
  average: "P2",
  low: "P3",
  info: "P3",
  none: "P3",
};

/** `P0` to `P3` are what they are; everything else goes by the map. Upper and lower case are the same. */
export function severityFrom(
  given: string | undefined,
  map: Readonly<Record<string, Severity>>,
  otherwise: Severity,
): Severity {
  if (given === undefined) return otherwise;
  const ours = SEVERITIES.find((severity) => severity === given.toUpperCase());
  if (ours) return ours;
  const key = given.toLowerCase();
  return Object.hasOwn(map, key) ? map[key]! : otherwise;
}
