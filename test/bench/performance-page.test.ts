import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { BENCHES } from "./benches.js";
import { performancePage } from "./performance-page.js";
import type { PublishedRow } from "./row.js";

const latest: PublishedRow[] = JSON.parse(await readFile(new URL("./results/latest.json", import.meta.url), "utf8"));

test("what was measured last has every row, on one machine", () => {
  expect(latest.map(({ id }) => id)).toEqual(BENCHES.flatMap(({ ids }) => ids));
  expect(new Set(latest.map(({ machine }) => machine)).size).toBe(1);
});

test("docs/performance.md has the table of what was measured last; `npm run bench` writes it anew", async () => {
  const page = await readFile(new URL("../../docs/performance.md", import.meta.url), "utf8");
  expect(page).toBe(performancePage(page, latest));
});
