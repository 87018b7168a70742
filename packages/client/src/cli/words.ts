import type { Output, Style } from "./output.js";

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

/** How long: `45s`, `12m`, `3h`, `2d`. */
function span(ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ["s", 1_000];
  return `${Math.floor(ms / size)}${unit}`;
}

/** How long ago, or in how long: `3m ago`, `in 5m`, `now`; `-` for never. */
export function when(date: string | null | undefined, now: Date): string {
  if (!date) return "-";
  const ms = now.getTime() - Date.parse(date);
  // The server's clock may be a moment ahead of ours.
  if (Math.abs(ms) < 1_000) return "now";
  return ms >= 0 ? `${span(ms)} ago` : `in ${span(-ms)}`;
}

const STYLES: Record<string, Style> = {
  P0: ["bold", "red"],
  P1: "red",
  P2: "yellow",
  CRIT: "red",
  WARN: "yellow",
  UNKNOWN: "magenta",
  TIMEOUT: "magenta",
  OK: "green",
  TRIGGERED: "red",
  ACKNOWLEDGED: "yellow",
  SNOOZED: "cyan",
  RESOLVED: "green",
  ONLINE: "green",
  OFFLINE: "yellow",
  DOWN: "red",
  REVOKED: "dim",
  SUCCEEDED: "green",
  FAILED: "red",
  DID_NOT_HELP: "red",
  REFUSED: "red",
  TIMED_OUT: "red",
  LOST: "red",
  AWAITING_APPROVAL: "yellow",
  RUNNING: "cyan",
  VERIFYING: "cyan",
};

/** A word of the schema in its colour. */
export const word = (out: Output, value: string): string => {
  const style = STYLES[value];
  return style ? out.paint(style, value) : value;
};

export const list = (labels: unknown): string =>
  Object.entries((labels ?? {}) as Record<string, unknown>)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ") || "-";

export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
