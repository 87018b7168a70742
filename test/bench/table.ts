import type { PublishedRow } from "./row.js";

const COLUMNS = [
  ["row", 16],
  ["value", 12],
  ["unit", 13],
  ["limit", 12],
  ["of limit", 9],
  ["peer", 12],
  ["of peer", 9],
] as const;

const figure = (value: number | null): string => (value === null ? "–" : value.toLocaleString("en"));
const times = (value: number | null): string => (value === null ? "–" : `${value} ×`);

/** The numbers stand at the right of their columns, words at the left. */
const line = (cells: string[], note: string): string => {
  const padded = cells.map((cell, i) => {
    const [name, width] = COLUMNS[i]!;
    return name === "row" || name === "unit" ? cell.padEnd(width) : cell.padStart(width);
  });
  return `${padded.join(" ")}  ${note}`;
};

export const heading = (): string =>
  `A ratio of 1 is as good as the limit or the peer, more is better, for every unit.\n${line(
    COLUMNS.map(([name]) => name),
    "note",
  )}`;

export const tableLine = (row: PublishedRow): string =>
  line(
    [
      row.id,
      figure(row.value),
      row.unit,
      figure(row.limit),
      times(row.ratioToLimit),
      figure(row.peer),
      times(row.ratioToPeer),
    ],
    row.note,
  );
