/** The words every room shares. Each list is the one source of a database check, a GraphQL enum and a TypeScript union. */
export const SEVERITIES = ["P0", "P1", "P2", "P3"] as const;
export type Severity = (typeof SEVERITIES)[number];

export const CATEGORIES = [
  "APPLICATION_CRASH",
  "DATABASE",
  "SECURITY",
  "PERFORMANCE",
  "DISK",
  "NETWORK",
  "EXTERNAL_API",
  "MONITORING",
  "OTHER",
] as const;
export type IncidentCategory = (typeof CATEGORIES)[number];
