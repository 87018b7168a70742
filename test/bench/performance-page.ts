import type { PublishedRow } from "./row.js";

const BEGIN = "<!-- what `npm run bench` measured -->\n";
const END = "<!-- end of what it measured -->\n";

/** `docs/performance.md` with these rows for a table. */
export function performancePage(page: string, rows: PublishedRow[]): string {
  const [before, rest] = split(page, BEGIN);
  const [, after] = split(rest, END);
  return [before, BEGIN, tableOf(rows), END, after].join("");
}

function split(page: string, at: string): [string, string] {
  const place = page.indexOf(at);
  if (place < 0) throw new Error(`docs/performance.md has no line "${at.trim()}"`);
  return [page.slice(0, place), page.slice(place + at.length)];
}

function tableOf(rows: PublishedRow[]): string {
  const lines = rows.map((row) => {
    const cells = [
      `\`${row.id}\``,
      `${figure(row.value)} ${row.unit}`,
      figure(row.limit),
      figure(row.ratioToLimit),
      figure(row.peer),
      figure(row.ratioToPeer),
      row.note,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `
Measured ${rows[0]!.at.slice(0, 10)} on ${rows[0]!.machine}, load generators and database included.

| row | value | limit | of limit | peer | of peer | what |
|---|---|---|---|---|---|---|
${lines.join("\n")}

`;
}

const figure = (value: number | null): string => (value === null ? "" : value.toLocaleString("en"));
