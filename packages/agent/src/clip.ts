/** At most `limit` characters, the last of them `…` when something was cut, and no half of one. */
export function clip(text: string, limit: number): string {
  const cleaned = clean(text);
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
      typeof it === "string" ? clean(it) : typeof it === "bigint" ? String(it) : it,
    );
  } catch {
    return undefined;
  }
}

/** PostgreSQL refuses U+0000 and half surrogate pairs, and one bad row would fail everyone else in the transaction. */
const clean = (text: string): string => text.replace(/\0|\p{Surrogate}/gu, "\ufffd");

const whole = (cut: string): string => cut.replace(/\p{Surrogate}$/u, "");
