/** At most `max` characters, with a mark where something was cut. */
export const cut = (text: string, max: number): string => (text.length > max ? `${text.slice(0, max - 1)}…` : text);

const TEXT = 2000;
const ALL_TEXTS = 16_000;

/** Names and texts of a sender, at most 16,000 characters of them; how many are left out stands under `…`. */
export function cutTexts(given: Readonly<Record<string, string>>): Record<string, string> {
  const kept: Record<string, string> = {};
  const entries = Object.entries(given);
  let left = ALL_TEXTS;
  for (const [i, [name, text]] of entries.entries()) {
    left -= Math.min(name.length, TEXT) + Math.min(text.length, TEXT);
    if (left < 0) return { ...kept, "…": `${entries.length - i} more` };
    kept[cut(name, TEXT)] = cut(text, TEXT);
  }
  return kept;
}
