import { expect, test } from "vitest";
import { formatDuration } from "../kernel/durations.js";
import { documentTable } from "../kernel/testing/document-table.js";
import { LIMITS } from "./limits.js";
import { MAX_PAGE } from "./max-page.js";

test("docs/operating.md has the limits of the API", async () => {
  const { documentChars, tokens, depth, aliases, directives, rootFields, cost, deadlineMs } = LIMITS;
  const { bodyBytes, operationsPerSocket, operationsPerPrincipal, operationsPerAddress } = LIMITS;
  const rows = await documentTable("operating.md", "limits");
  expect(rows.map(([, value]) => value)).toEqual([
    `${documentChars}, ${tokens}`,
    `${depth}, ${aliases}, ${directives}, ${rootFields}`,
    `${cost}`,
    formatDuration(deadlineMs),
    `${MAX_PAGE}`,
    `${bodyBytes}`,
    `${operationsPerSocket}`,
    `${operationsPerPrincipal}, ${operationsPerAddress}`,
  ]);
});
