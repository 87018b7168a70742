import { z } from "zod";
import type { OutcomeStatus } from "./wire.js";

/** Two limits on one scale. */
export interface Ladder {
  warn: number;
  crit: number;
}

type Grade = Extract<OutcomeStatus, "OK" | "WARN" | "CRIT">;

/** The options `warn` and `crit`, to be spread into a config; check the object with `.superRefine(rising)` or `falling`. */
export const ladder = (warn: number, crit: number, meaning: string) => ({
  warn: z.number().min(0).default(warn).describe(`WARN when ${meaning} reaches this.`),
  crit: z.number().min(0).default(crit).describe(`CRIT when ${meaning} reaches this.`),
});

/** Refuses limits in the wrong order where a higher value is worse. */
export function rising({ warn, crit }: Ladder, context: z.RefinementCtx): void {
  if (warn < crit) return;
  const message = `warn (${warn}) must be below crit (${crit}): the value passes warn first. Lower warn or raise crit.`;
  context.addIssue({ code: "custom", path: ["warn"], message });
}

/** Refuses limits in the wrong order where a lower value is worse. */
export function falling({ warn, crit }: Ladder, context: z.RefinementCtx): void {
  if (warn > crit) return;
  const message = `warn (${warn}) must be above crit (${crit}): the value passes warn first. Raise warn or lower crit.`;
  context.addIssue({ code: "custom", path: ["warn"], message });
}

/** A value at or past a limit has that grade. */
export const gradeRising = (value: number, { warn, crit }: Ladder): Grade =>
  value >= crit ? "CRIT" : value >= warn ? "WARN" : "OK";

export const gradeFalling = (value: number, { warn, crit }: Ladder): Grade =>
  value <= crit ? "CRIT" : value <= warn ? "WARN" : "OK";

const GRADES = ["OK", "WARN", "CRIT"] as const satisfies readonly Grade[];

/** The worst of some grades; OK of none. */
export const worst = (...grades: readonly Grade[]): Grade =>
  GRADES[Math.max(0, ...grades.map((grade) => GRADES.indexOf(grade)))] as Grade;
