import { storableText } from "@poppo-ops/plugins/wire";

/** At most `limit` characters, the last of them `…` when something was cut, and no half of one. */
export function clip(text: string, limit: number): string {
  const cleaned = storableText(text);
  return cleaned.length <= limit ? cleaned : `${whole(cleaned.slice(0, limit - 1))}…`;
}

/** What JSON makes of it, or that it is too long or no JSON. */
export function clipJson(value: unknown, limit: number): unknown {
  const json = toJson(value);
  if (json === undefined) return { truncated: "it is not JSON" };
  if (json.length <= limit) return JSON.parse(json);
  return { truncated: `${json.length} characters; the limit is ${limit}`, excerpt: whole(json.slice(0, limit / 4)) };
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, it) =>
      typeof it === "string" ? storableText(it) : typeof it === "bigint" ? String(it) : it,
    );
  } catch {
    return undefined;
  }
}

const whole = (cut: string): string => cut.replace(/\p{Surrogate}$/u, "");
