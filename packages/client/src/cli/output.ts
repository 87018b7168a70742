import { styleText } from "node:util";
import Table from "cli-table3";

export type Style = Parameters<typeof styleText>[0];

/** Where results go: JSON for programs, text for people. */
export interface Output {
  json: boolean;
  now: Date;
  /** One JSON document. */
  document(value: unknown): void;
  /** One line: JSON with `--json`, else the text. */
  line(value: unknown, text: string): void;
  /** Text for people only. */
  say(text: string): void;
  paint(style: Style, text: string): string;
  table(head: string[], rows: (string | number)[][], empty: string): void;
}

export interface OutputOptions {
  json: boolean;
  color: boolean;
  now: Date;
  /** Width of the terminal; absent when nobody looks. */
  columns?: number;
  write(text: string): void;
}

export function createOutput({ json, color, now, columns, write }: OutputOptions): Output {
  const paint = (style: Style, text: string) => (color ? styleText(style, text, { validateStream: false }) : text);
  const output: Output = {
    json,
    now,
    paint,
    document: (value) => write(`${JSON.stringify(value, null, 2)}\n`),
    line: (value, text) => write(`${json ? JSON.stringify(value) : text}\n`),
    say: (text) => void (json || write(`${text}\n`)),
    table(head, rows, empty) {
      if (rows.length === 0) return output.say(empty);
      const table = new Table({ head: head.map((name) => paint("dim", name)), chars: NO_BORDERS, style: PLAIN });
      table.push(...rows.map((row) => row.map((cell) => printable(String(cell)))));
      for (const line of table.toString().split("\n")) output.say(fit(line.trimEnd(), columns));
    },
  };
  return output;
}

const PLAIN = { head: [], border: [], "padding-left": 0, "padding-right": 2, compact: true };
const SIDES = ["top", "bottom", "left", "right"] as const;
const NO_BORDERS = Object.fromEntries(
  [...SIDES, "mid", "middle"].flatMap((side) => [
    [side, ""],
    [`${side}-mid`, ""],
    [`${side}-left`, ""],
    [`${side}-right`, ""],
    [`mid-mid`, ""],
  ]),
);

/** Colours are ours; every other control character could drive the reader's terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /\u001b(?!\[\d{1,2}m)|[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g;
export const printable = (text: string): string => text.replace(CONTROL, "").replace(/\s*\n\s*/g, " ");
/** The same for text of several lines. */
export const printableLines = (text: string): string => text.replace(CONTROL, "");

/** Cuts a line at the terminal's edge; a wrapped table is no table. */
function fit(line: string, columns: number | undefined): string {
  if (!columns) return line;
  let width = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours take no room
  for (const { 0: piece, index } of line.matchAll(/\u001b\[\d+m|./gsu)) {
    if (!piece.startsWith("\u001b") && ++width > columns - 1) return `${line.slice(0, index)}…${resetAfter(line)}`;
  }
  return line;
}
const resetAfter = (line: string): string => (line.includes("\u001b[") ? "\u001b[0m" : "");
