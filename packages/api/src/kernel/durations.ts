import { z } from "zod";

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `500ms`, `10s`, `5m`, `2h` or `1d`; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : undefined;
}

/** The shortest exact form: 90000 → `90s`, 3600000 → `1h`. */
export function formatDuration(ms: number): string {
  const unit = (["d", "h", "m", "s"] as const).find((u) => ms >= UNITS[u] && ms % UNITS[u] === 0) ?? "ms";
  return `${Math.round(ms / UNITS[unit])}${unit}`;
}

/** A duration in an input: text like `10s`, read as milliseconds, within the bounds given. */
export const duration = (minMs: number, maxMs: number) =>
  z
    .string()
    .meta({ graphql: "Duration" })
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
      context.addIssue({
        code: "custom",
        message: `"${text}" is not a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}; write for example "10s", "5m" or "2h"`,
      });
      return z.NEVER;
    });
