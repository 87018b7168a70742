import { storableText } from "@poppo-ops/plugins/wire";

/** JSON that `jsonb` takes: it refuses U+0000 and half surrogate pairs, and a text that was cut in two may hold one. */
export const storableJson = (value: unknown): string => JSON.stringify(value, storable);

/** A replacer, and a reviver: what cannot be stored becomes U+FFFD. */
export const storable = (_key: string, value: unknown): unknown =>
  typeof value === "string" ? storableText(value) : value;
