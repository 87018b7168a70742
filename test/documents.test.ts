import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { environment } from "../packages/api/src/config.js";
import { documentTable } from "../packages/api/src/kernel/testing/document-table.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = readdirSync(join(root, "packages"));
const isSource = (path: string) =>
  path.endsWith(".ts") && !path.endsWith(".test.ts") && !path.includes(`${sep}testing${sep}`);

function sourcesOf(name: string): string[] {
  const folder = join(root, "packages", name, "src");
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter(isSource)
    .map((path) => readFileSync(join(folder, path), "utf8"));
}

test("docs/operating.md and docs/configuration.md have every variable that a program reads", async () => {
  const named = packages
    .flatMap(sourcesOf)
    .flatMap((source) => source.match(/\bPOPPO_[A-Z]+(?:_[A-Z]+)*\b/g) ?? [])
    .filter((name) => !Object.hasOwn(environment.shape, name));
  const rows = await documentTable("operating.md", "environment");
  expect(rows.map(([name]) => name).sort()).toEqual([...new Set(named)].sort());
});

const pages = ["", "docs", "docs/integrations", ...packages.map((name) => `packages/${name}`)]
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
  .filter((path) => path.endsWith(".md"));

test.each(pages)("every file that %s links to is there", (page) => {
  const text = readFileSync(join(root, page), "utf8");
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!.replace(/#.*/, ""));
  const missing = targets
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
    .map((target) => relative(root, join(root, dirname(page), target)))
    .filter((path) => !existsSync(join(root, path)));
  expect(missing).toEqual([]);
});
