/**
 * At most `max` UTF-16 units of the text, without NUL and without half a character at the cut: PostgreSQL's jsonb
 * refuses both, and with them the whole transaction.
 */
export const clip = (text: string, max: number): string =>
  text
    .replaceAll("\u0000", "")
    .slice(0, max)
    .replace(/[\uD800-\uDBFF]$/, "");
