import { InvalidArgumentError } from "commander";

export const wholeNumber = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`);
};

/** `10m`, as the server takes it; how long it may be is the server's to say. */
export function duration(text: string): string {
  if (/^\d{1,9}(ms|s|m|h|d)$/.test(text)) return text;
  throw new InvalidArgumentError("Write it like 30s, 10m, 2h or 90d.");
}

/** An enum of the SDK, or some of its words: what the schema gets, the command line takes. */
export type Words<Word extends string> = Readonly<Record<string, Word>>;

/** For descriptions and messages. */
export const listed = (words: Words<string>): string => Object.values(words).join(", ");

/** One of the words as a person writes it, in any case and with `-` or `_`; undefined when it is none. */
export function wordOf<Word extends string>(words: Words<Word>, text: string): Word | undefined {
  const written = text.trim().toUpperCase().replaceAll("-", "_");
  return Object.values(words).find((word) => word === written);
}

/** `--option` with one of the words, in any case. */
export const one =
  <Word extends string>(words: Words<Word>) =>
  (text: string): Word => {
    const word = wordOf(words, text);
    if (word === undefined) throw new InvalidArgumentError(`Allowed are ${listed(words)}.`);
    return word;
  };

/** `--option a,b` and `--option a --option b`, each one of the words. */
export const oneOrMore =
  <Word extends string>(words: Words<Word>) =>
  (text: string, previous: Word[] = []): Word[] => [...previous, ...text.split(",").map(one(words))];

/** `name=value`, repeatable. */
export function label(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Write it as name=value.");
  return { ...previous, [name]: value };
}

export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}`);
  }
}
