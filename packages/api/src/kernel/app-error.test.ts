import { expect, test } from "vitest";
import { AppError, ERROR_CODES } from "./app-error.js";

test("docs/errors.md is true; `vitest run packages/api/src/kernel/app-error.test.ts -u` writes it anew", async () => {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { expected, meaning, action }]) =>
      `| \`${code}\` | ${expected ? "`userErrors`" : "`errors`"} | ${meaning} | ${action} |`,
  );
  const page = `# Errors

Every error has a code of this table, over HTTP and over WebSocket alike.

- Refusals a caller must expect stand in the \`userErrors\` of a mutation's payload: \`{ code field message }\`. The same
  codes are top-level errors where a query has no payload. So is \`CONFLICT\` over WebSocket, when the id of an operation is used
  again before that operation has ended.
- Everything else is a top-level GraphQL error: \`extensions.code\` holds the code, \`extensions.requestId\` finds it in the
  server's log, and \`extensions\` holds what the message mentions (\`retryAfterMs\`, \`lastCursor\`, \`expectedSeq\`, \`field\`).

| Code | Where | Meaning | What to do |
|---|---|---|---|
${rows.join("\n")}
`;
  await expect(page).toMatchFileSnapshot("../../../../docs/errors.md");
});

test("an error carries its code and details", () => {
  const error = new AppError("CONFLICT", "somebody was faster", { status: "RESOLVED" });
  expect(error).toMatchObject({ name: "AppError", code: "CONFLICT", details: { status: "RESOLVED" } });
  expect(error).toBeInstanceOf(Error);
});
