/** Puts the failing item where the probe's remediation says `{item}`. */
export function withItem(input: unknown, item: string): unknown {
  if (typeof input === "string") return input.replaceAll("{item}", item);
  if (Array.isArray(input)) return input.map((value) => withItem(value, item));
  if (typeof input !== "object" || input === null) return input;
  return Object.fromEntries(Object.entries(input).map(([key, value]) => [key, withItem(value, item)]));
}
