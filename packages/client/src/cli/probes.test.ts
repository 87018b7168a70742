import { expect, test } from "vitest";
import { agent, connection, id, probe, probeState, service } from "../testing/sample-data.js";
import { testCli } from "../testing/test-cli.js";

const cli = testCli();
const { asked, poppo, roots } = cli;

test("create reads every probe of a file, and a service by its name", async () => {
  roots.service = ({ name }: { name: string }) => service(name);
  roots.createProbe = ({ input }: { input: Record<string, unknown> }) => ({ probe: probe(input), userErrors: [] });
  const input =
    "- {name: a, kind: http.check, service: shop, config: {url: 'http://x'}}\n- {name: b, kind: system.cpu}\n---\nname: c\nkind: system.load\n";
  const { stdout, stderr } = await poppo(["probes", "create", "-f", "-"], { input });
  expect(stderr).toBe("");
  expect(stdout.split("\n")).toHaveLength(4);
  expect(asked("CreateProbe").map(({ variables }) => variables.input)).toEqual([
    { name: "a", kind: "http.check", serviceId: id(900), config: { url: "http://x" } },
    { name: "b", kind: "system.cpu" },
    { name: "c", kind: "system.load" },
  ]);
});

test("create refuses a file with a mistake before it creates anything", async () => {
  const { stderr, code } = await poppo(["probes", "create", "-f", "-"], {
    input: "- {name: a, kind: x}\n- {name: b, knd: y}\n",
  });
  expect(stderr).toContain('stdin, probe 2 has "knd".');
  expect(code).toBe(2);
  expect(cli.server.requests).toEqual([]);
});

test("create takes the words of a file in any case", async () => {
  roots.createProbe = ({ input }: { input: Record<string, unknown> }) => ({ probe: probe(input), userErrors: [] });
  const input = "{name: a, kind: x.y, severity: p1, category: external-api, interval: 10s}";
  expect(await poppo(["probes", "create", "-f", "-"], { input })).toMatchObject({ code: 0, stderr: "" });
  expect(asked("CreateProbe")[0]!.variables).toMatchObject({
    input: { severity: "P1", category: "EXTERNAL_API" },
  });
});

test.each([
  ["severity: P9", 'stdin, probe 1: severity is "P9".\nAllowed are P0, P1, P2, P3.'],
  ["category: 7", "stdin, probe 1: category is 7.\nAllowed are APPLICATION_CRASH, DATABASE,"],
  ["interval: 10", 'stdin, probe 1: interval is 10; write it like "10s".'],
])("create refuses %s, with what is allowed", async (line, message) => {
  const { stderr, code } = await poppo(["probes", "create", "-f", "-"], { input: `name: a\nkind: x.y\n${line}\n` });
  expect(stderr).toContain(message);
  expect(code).toBe(2);
  expect(cli.server.requests).toEqual([]);
});

test("run waits for an outcome that is newer than the last", async () => {
  let lastAt = "2026-01-01T00:00:00.000Z";
  roots.probe = () => probe();
  roots.probeStates = () => connection([probeState({ lastAt, summary: `seen at ${lastAt}` })]);
  roots.runProbe = () => {
    lastAt = "2026-01-01T00:00:05.000Z";
    return { commandId: id(1), userErrors: [] };
  };
  const { stdout, code } = await poppo(["probes", "run", "disks"]);
  expect(code).toBe(0);
  expect(stdout).toContain("seen at 2026-01-01T00:00:05.000Z");
});

test("history shows what a probe has seen, of the agent, status and time that are named", async () => {
  roots.probe = () => probe();
  roots.agent = () => agent();
  roots.probeResults = () =>
    connection([{ ...probeState({ status: "WARN" }), at: "2026-01-01T00:00:00Z", durationMs: 12.4 }]);
  const args = ["--agent", "web-1", "--since", "2026-01-01", "--status", "warn"];
  const { stdout, code } = await poppo(["probes", "history", ...args, "disks"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/ago +web-1 +\/ +WARN +12 ms +\/ is 97% full/);
  expect(asked("ProbeResults")[0]!.variables).toEqual({
    filter: { probeId: id(600), agentIds: [id(500)], statuses: ["WARN"], since: "2026-01-01T00:00:00.000Z" },
    first: 50,
  });
  expect(await poppo(["probes", "history", "disks", "--since", "soon"])).toMatchObject({ code: 2 });
});

test("delete finds a probe by its name", async () => {
  roots.probe = () => probe();
  roots.deleteProbe = () => ({ deletedId: id(600), userErrors: [] });
  expect(await poppo(["probes", "delete", "disks"])).toMatchObject({ code: 0, stdout: "Deleted disks.\n" });
  expect(asked("DeleteProbe")[0]!.variables).toEqual({ input: { id: id(600) } });
});
