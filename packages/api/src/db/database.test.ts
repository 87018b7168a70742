import { expect, test } from "vitest";
import { LIMITS } from "../graphql/limits.js";
import { testApp } from "../kernel/testing/test-app.js";

test("a statement holds its connection no longer than an operation may take", async () => {
  await using app = await testApp();
  const { rows } = await app.database.pool.query(
    "SELECT setting::int AS ms FROM pg_settings WHERE name = 'statement_timeout'",
  );
  expect(rows).toEqual([{ ms: LIMITS.deadlineMs }]);
});
