import { join } from "node:path";
import { expect, test } from "vitest";
import { agent } from "../testing/sample-data.js";
import { testCli } from "../testing/test-cli.js";
import { writeCredentials } from "./credentials.js";

const cli = testCli();
const { asked, poppo, roots } = cli;

test("enrol prints a config file that stands alone", async () => {
  roots.createEnrolmentToken = () => ({ token: "poppo_enrol_x", expiresAt: "2026-01-01T00:15:00Z", userErrors: [] });
  const { stdout, stderr } = await poppo(["agents", "enrol", "--name", "web-1", "--label", "role=web"]);
  expect(stdout).toContain(`server: ${cli.server.url}\nname: web-1\nenrolmentToken: poppo_enrol_x\n`);
  expect(stderr).toBe("");
  expect(asked("CreateEnrolmentToken")[0]!.variables).toEqual({
    input: { namePattern: "web-1", labels: { role: "web" } },
  });
});

test("enrol writes the address that the agent will use, and asks the server that the saved token is of", async () => {
  roots.createEnrolmentToken = () => ({ token: "poppo_enrol_x", expiresAt: "2026-01-01T00:15:00Z", userErrors: [] });
  await writeCredentials(join(cli.shell.home, ".poppo"), { url: cli.server.url, token: "saved" });
  const { stdout, code } = await cli.shell.run(["agents", "enrol", "--server", "https://poppo.example.com"]);
  expect(code).toBe(0);
  expect(stdout).toContain("server: https://poppo.example.com\n");
  expect(asked("CreateEnrolmentToken")[0]).toMatchObject({ authorization: "Bearer saved" });
});

test("revoke finds an agent by its name", async () => {
  roots.agent = ({ name }: { name: string }) => (name === "web-1" ? agent() : null);
  roots.revokeAgent = () => ({ agent: agent({ status: "REVOKED" }), userErrors: [] });
  expect(await poppo(["agents", "revoke", "web-1"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("Revoked web-1"),
  });
  expect(await poppo(["agents", "revoke", "web-2"])).toMatchObject({ code: 5 });
});
