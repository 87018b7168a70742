import type { z } from "zod";

const SIZES: Record<string, string> = { string: "characters", array: "entries" };

/** Words what zod would say in its own terms: what was wrong, with which value, and what is allowed. */
export const wordIssue: z.core.$ZodErrorMap = (issue) => {
  const { input } = issue;
  switch (issue.code) {
    case "invalid_format":
      return issue.format === "uuid" ? `${show(input)} is no id; ids are UUIDs.` : undefined;
    case "invalid_value":
      return `${show(input)} is not allowed; allowed: ${issue.values.join(", ")}.`;
    case "too_small":
      if (sizeOf(input) === 0) return "It is empty.";
      return `It ${measured(input, issue.origin)}; at least ${issue.minimum} ${allowed(Number(issue.minimum))}.`;
    case "too_big":
      return `It ${measured(input, issue.origin)}; at most ${issue.maximum} ${allowed(Number(issue.maximum))}.`;
    default:
      return undefined;
  }
};

const sizeOf = (input: unknown): number | undefined =>
  typeof input === "string" || Array.isArray(input) ? input.length : undefined;
const measured = (input: unknown, origin: string): string =>
  sizeOf(input) === undefined ? `is ${show(input)}` : `has ${sizeOf(input)} ${SIZES[origin] ?? ""}`;
const allowed = (count: number): string => (count === 1 ? "is allowed" : "are allowed");
const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);
