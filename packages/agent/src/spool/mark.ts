import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeAtomically } from "../files/write-atomically.js";

const markSchema = z.object({
  acked: z.number().int().nonnegative(),
  gaps: z.array(
    z.object({
      from: z.number().int(),
      to: z.number().int(),
      reason: z.enum(["BYTES", "AGE", "CORRUPT", "DISK_FULL"]),
    }),
  ),
});

/** What the spool remembers beside its segments: how far the server has acknowledged, and what was given up. */
export type Mark = z.infer<typeof markSchema>;

const markPath = (dir: string) => join(dir, "mark.json");

/** `undefined` when it is missing or damaged: the server knows better and says so at the next session. */
export function readMark(dir: string): Mark | undefined {
  try {
    return markSchema.parse(JSON.parse(readFileSync(markPath(dir), "utf8")));
  } catch {
    return undefined;
  }
}

/** Not durable on purpose: a lost mark only makes the agent ask the server, and an fsync per ack would cost more. */
export const writeMark = (dir: string, mark: Mark): void =>
  writeAtomically(markPath(dir), JSON.stringify(mark), { durable: false });
