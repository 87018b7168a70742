import { readFile } from "node:fs/promises";

/**
 * The rows of a table in `docs/<page>`, without its head: the table that follows the mark `<!-- test: <name> -->`. Cells are
 * as a reader sees them, so without backticks.
 */
export async function documentTable(page: string, name: string): Promise<string[][]> {
  const text = await readFile(new URL(`../../../../../docs/${page}`, import.meta.url), "utf8");
  const [, table] = new RegExp(`<!-- test: ${name} -->\\n((?:\\|.*\\n)+)`).exec(text) ?? [];
  if (!table) throw new Error(`docs/${page} has no table that is marked "test: ${name}"`);
  const rows = table.trimEnd().split("\n").slice(2);
  return rows.map((row) =>
    row
      .replaceAll("`", "")
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
