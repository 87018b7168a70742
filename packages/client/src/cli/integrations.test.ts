import { expect, test } from "vitest";
import { connection, id, service } from "../testing/sample-data.js";
import { testCli } from "../testing/test-cli.js";

const cli = testCli();
const { asked, poppo, roots } = cli;
const AT = "2026-01-01T00:00:00.000Z";
const integration = (over: Record<string, unknown> = {}) => ({
  id: id(800),
  name: "production",
  kind: "ALERTMANAGER",
  prefix: "poppo_hook_abcdef",
  severities: { critical: "P1" },
  defaultSeverity: "P2",
  category: "OTHER",
  service: service("shop"),
  createdBy: "ana",
  createdAt: AT,
  updatedAt: AT,
  ...over,
});

test("create prints the address alone on stdout", async () => {
  roots.service = () => service("shop");
  roots.createIntegration = () => ({
    integration: integration(),
    path: "/integrations/alertmanager/poppo_hook_secret",
    userErrors: [],
  });
  const create = ["integrations", "create", "production", "--kind", "alertmanager"];
  const { stdout } = await poppo([...create, "--severity", "critical=p0", "--severity", "low=P3", "--service", "shop"]);
  expect(stdout).toBe(`${cli.server.url}/integrations/alertmanager/poppo_hook_secret\n`);
  expect(asked("CreateIntegration")[0]!.variables).toEqual({
    input: {
      name: "production",
      kind: "ALERTMANAGER",
      severities: { critical: "P0", low: "P3" },
      serviceId: service("shop").id,
    },
  });
  const { url, path } = JSON.parse((await poppo([...create, "--json"])).stdout);
  expect(url).toBe(`${cli.server.url}${path}`);
});

test("a severity that is none is wrong usage, 2", async () => {
  const { code, stderr } = await poppo([
    "integrations",
    "create",
    "x",
    "--kind",
    "alertmanager",
    "--severity",
    "critical=high",
  ]);
  expect(stderr).toContain("Allowed after = are P0, P1, P2, P3.");
  expect(code).toBe(2);
});

test("list shows those in use", async () => {
  roots.integrations = () => connection([integration()]);
  const { stdout } = await poppo(["integrations", "list"]);
  const [head, row] = stdout.split("\n");
  expect(head).toMatch(/^NAME +KIND +KEY BEGINS WITH +LAST RECEIVED +SERVICE +CATEGORY +SEVERITIES +ID$/);
  expect(row).toMatch(/^production +ALERTMANAGER +poppo_hook_abcdef +- +shop +OTHER +critical=P1 else=P2 /);
  expect(asked("Integrations")[0]!.variables).toMatchObject({ filter: { revoked: false }, first: 50 });
});

test("revoke takes a name; one that is not in use is not found, 5", async () => {
  roots.integration = ({ name }: { name: string }) => (name === "production" ? integration() : null);
  roots.revokeIntegration = () => ({ integration: integration({ revokedAt: AT }), userErrors: [] });
  expect((await poppo(["integrations", "revoke", "production"])).stdout).toBe("Revoked production.\n");
  expect(asked("RevokeIntegration")[0]!.variables).toEqual({ input: { id: id(800) } });
  const { code, stderr } = await poppo(["integrations", "revoke", "staging"]);
  expect(stderr).toContain('There is no integration "staging".');
  expect(code).toBe(5);
});
