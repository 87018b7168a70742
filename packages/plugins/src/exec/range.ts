/** A Nagios threshold range: alert outside `[from, to]`, or inside it. */
export interface Range {
  from: number;
  to: number;
  alertInside: boolean;
}

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const RANGE = new RegExp(`^(@?)(?:(~|${NUMBER})?(:))?(${NUMBER})?$`);

/**
 * Reads a range of the Nagios plugin guidelines: `10` (alert below 0 or above 10), `10:` (below 10), `~:10` (above 10),
 * `10:20` (outside), `@10:20` (inside, ends included).
 * @returns undefined when the text is no range
 */
export function parseRange(text: string): Range | undefined {
  const match = RANGE.exec(text);
  if (!match) return undefined;
  const [, at, start, colon, end] = match;
  if (colon === undefined && end === undefined) return undefined;
  if (start === undefined && end === undefined) return undefined;
  const from = start === undefined ? 0 : start === "~" ? Number.NEGATIVE_INFINITY : Number(start);
  const to = end === undefined ? Number.POSITIVE_INFINITY : Number(end);
  return from <= to ? { from, to, alertInside: at === "@" } : undefined;
}

/** The ends belong to the range: `10:20` does not alert on 10, `@10:20` does. */
export const alerts = (value: number, { from, to, alertInside }: Range): boolean =>
  (value >= from && value <= to) === alertInside;
