import { expect, test } from "vitest";
import { id } from "../testing/sample-data.js";
import { testCli } from "../testing/test-cli.js";

const { asked, poppo, roots } = testCli();

test("tokens create prints the secret alone on stdout", async () => {
  roots.createApiToken = () => ({
    apiToken: { id: id(1), name: "ci", role: "INTEGRATION", prefix: "poppo_api_ab", createdAt: "2026-01-01T00:00:00Z" },
    token: "poppo_api_secret",
    userErrors: [],
  });
  const { stdout } = await poppo(["tokens", "create", "ci", "--role", "integration", "--expires", "90d"]);
  expect(stdout).toBe("poppo_api_secret\n");
  expect(asked("CreateApiToken")[0]!.variables).toEqual({
    input: { name: "ci", role: "INTEGRATION", expiresIn: "90d" },
  });
});
