import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { TRANSPORT_CODES } from "./error.js";

test("README.md names every code that no server worded, and whether trying again may help", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^ {2}\| `([A-Z_]+)` +\| (yes|no) /gm)].map(([, code, retryable]) => [
    code,
    retryable === "yes",
  ]);
  expect(Object.fromEntries(rows)).toEqual(TRANSPORT_CODES);
});
