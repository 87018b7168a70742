import { z } from "zod";

/** A probe the server wants run here. Times are milliseconds. */
const assignmentSchema = z.object({
  probeId: z.string(),
  name: z.string(),
  kind: z.string(),
  config: z.unknown(),
  intervalMs: z.number().positive(),
  retryIntervalMs: z.number().positive(),
  maxAttempts: z.number().int().min(1),
  timeoutMs: z.number().positive(),
  version: z.number(),
});
export type Assignment = z.output<typeof assignmentSchema>;

export const assignmentsSchema = z.object({ version: z.string(), probes: z.array(assignmentSchema) });
export type Assignments = z.output<typeof assignmentsSchema>;
