import { expect, test } from "vitest";
import { resolveSecret, SecretError } from "./secret.js";

test("a reference is the variable's value, any other text is itself", () => {
  expect(resolveSecret("env:TOKEN", { TOKEN: "s3cret" })).toBe("s3cret");
  expect(resolveSecret("environment: TOKEN", { TOKEN: "s3cret" })).toBe("environment: TOKEN");
});

test("a variable that is not set, or empty, is refused by name", () => {
  expect(() => resolveSecret("env:TOKEN", {})).toThrow(SecretError);
  expect(() => resolveSecret("env:TOKEN", { TOKEN: "" })).toThrow("TOKEN is not set for the agent");
});
