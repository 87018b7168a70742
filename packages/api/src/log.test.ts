import { expect, test } from "vitest";
import { createLog } from "./log.js";

function logged(err: unknown): { err: Record<string, unknown> } {
  const lines: string[] = [];
  createLog("warn", { write: (line) => void lines.push(line) }).warn({ err }, "it failed");
  return JSON.parse(lines[0]!);
}

test("an error is logged with what it came from, and without the statement twice", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED"), {
    code: "ECONNREFUSED",
    client: { password: "s3cret" },
  });
  const line = logged(new Error(`Failed query: select ${"column, ".repeat(500)}`, { cause: refused }));
  expect(line.err).toMatchObject({
    type: "Error",
    message: expect.stringMatching(/^Failed query: select .*…$/),
    stack: expect.stringMatching(/^ {4}at .*log\.test\.ts/),
    cause: { code: "ECONNREFUSED", message: "connect ECONNREFUSED" },
  });
  expect(JSON.stringify(line)).not.toContain("s3cret");
  expect(JSON.stringify(line).length).toBeLessThan(2500);
});

test("what is thrown and is no error is logged too", () => {
  expect(logged("gone").err).toEqual({ message: "gone" });
});
