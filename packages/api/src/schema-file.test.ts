import { beforeAll, expect, test } from "vitest";
import { compareSchema, type SchemaComparison } from "./schema-file.js";

const WRITE = "`pnpm --filter @poppo-ops/api schema` writes it";
let comparison: SchemaComparison;
beforeAll(async () => {
  comparison = await compareSchema();
});

test("no change of the schema breaks clients without being declared in breaking-changes.json", () => {
  expect(comparison.undeclared).toEqual([]);
});

test("schema.graphql is what the code says", () => {
  expect(
    comparison.changes.map(({ message }) => message),
    WRITE,
  ).toEqual([]);
  expect(comparison.checkedIn, WRITE).toBe(comparison.fromCode);
});
