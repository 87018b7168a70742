import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "../files/write-atomically.js";
import { type Assignments, assignmentsSchema } from "./assignment.js";

const cachePath = (dataDir: string) => join(dataDir, "assignments.json");

/** What was assigned last, so that an agent that starts while the server is away probes at once. */
export function cachedAssignments(dataDir: string): Assignments | undefined {
  try {
    return assignmentsSchema.parse(JSON.parse(readFileSync(cachePath(dataDir), "utf8")));
  } catch {
    return undefined;
  }
}

export const cacheAssignments = (dataDir: string, assignments: Assignments): void =>
  writeAtomically(cachePath(dataDir), JSON.stringify(assignments));
