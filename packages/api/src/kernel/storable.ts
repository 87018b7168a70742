/** What PostgreSQL's text and jsonb cannot hold, U+0000 and halves of surrogate pairs, is replaced. */
export const storable = (text: string): string =>
  text.replace(/\p{Surrogate}/gu, "\ufffd").replaceAll("\u0000", "\ufffd");

/** JSON that `jsonb` takes. What comes from outside is refused earlier; a text that was cut in two is not. */
export const storableJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) => (typeof inner === "string" ? storable(inner) : inner));
