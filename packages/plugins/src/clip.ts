import { stripVTControlCharacters } from "node:util";

/** Control characters but line feed and tab: each costs six characters of JSON, and NUL is refused by PostgreSQL. */
const CONTROL = /[^\P{Cc}\n\t]/gu;

/**
 * At most `max` UTF-16 units of the text, without colours, control characters, and half a character at the cut (jsonb
 * refuses one, and with it the whole transaction). As JSON it is at most twice as long.
 */
export const clip = (text: string, max: number): string =>
  stripVTControlCharacters(text)
    .replace(CONTROL, "")
    .slice(0, max)
    .replace(/[\uD800-\uDBFF]$/, "");
