import { expect, test } from "vitest";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { newId } from "../kernel/ids.js";
import { connect, testAgent } from "./testing/test-agent.js";
import { result, testProbe } from "./testing/test-probes.js";

const FIELDS =
  "probe { id name interval retryInterval timeout severity rules remediation version enabled } userErrors { code field message }";

async function create(on: TestServer, input: Record<string, unknown>) {
  const mutation = `mutation ($input: CreateProbeInput!) { createProbe(input: $input) { ${FIELDS} } }`;
  const { data } = await on.ask(mutation, { input: { name: "a", kind: "system.load", ...input } });
  return data.createProbe;
}

async function update(on: TestServer, input: Record<string, unknown>) {
  const mutation = `mutation ($input: UpdateProbeInput!) { updateProbe(input: $input) { ${FIELDS} } }`;
  const { data } = await on.ask(mutation, { input });
  return data.updateProbe;
}

test("a probe needs a name and a kind; the plugin and the rules have defaults for the rest", async () => {
  await using on = await testServer();
  const { probe, userErrors } = await create(on, { rules: { attempts: 5 } });
  expect(userErrors).toEqual([]);
  expect(probe).toMatchObject({
    severity: "P2",
    enabled: true,
    version: 1,
    rules: { attempts: 5, recoveries: 2, raiseOn: ["CRIT", "TIMEOUT"], flapping: { high: 8, low: 4 }, missing: true },
  });
  expect(probe.interval).toMatch(/^\d+(ms|s|m)$/);
});

test.each([
  [
    "an unknown kind",
    { kind: "system.laod" },
    "kind",
    /no probe "system\.laod"; did you mean "system\.load"\? There are .*http\.check/,
  ],
  ["a misspelt plugin", { kind: "sytem.load" }, "kind", /did you mean "system\.load"\?/],
  ["a kind without a plugin", { kind: "load" }, "kind", /no probe "load"/],
  ["the name of a built-in property", { kind: "system.constructor" }, "kind", /no probe/],
  [
    "a misspelt option",
    { kind: "system.disk", config: { mount: ["/"] } },
    "config",
    /"mount" is not an option; did you mean "mounts"\?/,
  ],
  ["a misspelt rule", { rules: { atempts: 2 } }, "rules", /"atempts" is not an option; did you mean "attempts"\?/],
  ["thresholds that cross", { rules: { flapping: { high: 3, low: 5 } } }, "rules", /must be below/],
  [
    "an unknown remediation",
    { remediation: { kind: "docker.reboot" } },
    "remediation",
    /no remediation "docker\.reboot"; did you mean "docker\.restart"\? There are/,
  ],
  [
    "a misspelt option of its remediation",
    { remediation: { kind: "docker.restart", input: { contaner: "{item}" } } },
    "remediation",
    /^input: .*"contaner" is not an option; did you mean "container"\?/,
  ],
  ["a duration that is none", { interval: "10 seconds" }, "interval", /is not a duration/],
  [
    "a retry that is slower than the schedule",
    { interval: "5s", retryInterval: "10s" },
    "retryInterval",
    /longer than the interval/,
  ],
  ["a service that is not there", { serviceId: newId() }, "serviceId", /no service/],
])("%s is refused with what to do", async (_, input, field, message) => {
  await using on = await testServer();
  const { probe, userErrors } = await create(on, input);
  expect(probe).toBeNull();
  expect(userErrors).toMatchObject([{ field, message: expect.stringMatching(message) }]);
});

test("a probe of a plugin that only agents have is taken as it is, with a minute between two runs", async () => {
  await using on = await testServer();
  const config = { url: "redis://cache", keys: ["a"] };
  const { probe, userErrors } = await create(on, { kind: "redis.ping", config });
  expect(userErrors).toEqual([]);
  expect(probe).toMatchObject({ interval: "1m", timeout: "10s" });
  const agent = await connect(on, await testAgent(on, "host-a"));
  await using _ = agent;
  const { assignments } = await agent.open();
  expect(assignments?.probes).toMatchObject([{ kind: "redis.ping", config }]);
});

test("a remediation may name the failing item where its input wants one", async () => {
  await using on = await testServer();
  const remediation = { kind: "docker.restart", input: { container: "{item}" } };
  expect((await create(on, { remediation })).probe).toMatchObject({ remediation });
});

test("an update changes what it names, rules one by one, and counts the version", async () => {
  await using on = await testServer();
  const { probe } = await create(on, {
    rules: { attempts: 5, flapping: { low: 2 } },
    remediation: { kind: "docker.restart", input: {} },
  });
  const { probe: changed } = await update(on, {
    id: probe.id,
    rules: { recoveries: 4, flapping: { high: 14 } },
    remediation: null,
    interval: "2m",
  });
  expect(changed).toMatchObject({
    version: 2,
    interval: "2m",
    remediation: null,
    rules: { attempts: 5, recoveries: 4, flapping: { high: 14, low: 2 } },
  });
});

test("two probes cannot have one name", async () => {
  await using on = await testServer();
  await create(on, {});
  const other = await create(on, { name: "b" });
  expect((await create(on, {})).userErrors).toMatchObject([{ code: "ALREADY_EXISTS", field: "name" }]);
  expect((await update(on, { id: other.probe.id, name: "a" })).userErrors).toMatchObject([{ code: "ALREADY_EXISTS" }]);
});

test("a probe runs at once only where it is assigned", async () => {
  await using on = await testServer();
  const probeId = await testProbe(on, { agentSelector: { site: "north" } });
  const [north, south] = [await testAgent(on, "a", { site: "north" }), await testAgent(on, "b", { site: "south" })];
  const run = async (agentId: string) => {
    const mutation =
      "mutation ($input: RunProbeInput!) { runProbe(input: $input) { commandId userErrors { code message } } }";
    return (await on.ask(mutation, { input: { probeId, agentId } })).data.runProbe;
  };
  expect(await run(north.id)).toMatchObject({ commandId: expect.any(String), userErrors: [] });
  expect(await run(south.id)).toMatchObject({
    userErrors: [{ code: "CONFLICT", message: expect.stringMatching(/labels do not match/) }],
  });
  expect(await run(newId())).toMatchObject({ userErrors: [{ code: "NOT_FOUND" }] });
});

test("agents, probes and states read each other, page by page", async () => {
  await using on = await testServer();
  const probeIds = [await testProbe(on, { name: "p1" }), await testProbe(on, { name: "p2" })];
  for (const name of ["a", "b"]) {
    await using connection = await connect(on, await testAgent(on, name, { site: name }));
    await connection.open();
    const rows = probeIds.flatMap((id) => ["x", "y"].map((item) => result(id, "OK", on.app.clock.now(), { item })));
    await connection.report({ epoch: newId(), from: 1, results: rows });
  }
  const { data } = await on.ask(`{
    agents { nodes { name probeStates(first: 3) { totalCount pageInfo { hasNextPage endCursor } nodes { item probe { name } agent { name } metrics { name value unit } } } } }
    probes(search: "1") { totalCount nodes { name states(first: 10) { totalCount nodes { agent { name } item reporting } } } }
    probeStates(filter: { statuses: [OK] }, first: 5) { totalCount nodes { status hardStatus } pageInfo { hasNextPage } }
    agent(name: "a") { id }
  }`);
  expect(data.agents.nodes.map((agent: { name: string }) => agent.name)).toEqual(["a", "b"]);
  const page = data.agents.nodes[0].probeStates;
  expect(page).toMatchObject({ totalCount: 4, pageInfo: { hasNextPage: true } });
  expect(page.nodes[0]).toMatchObject({ agent: { name: "a" }, metrics: [{ name: "load", value: 1.5, unit: "1" }] });
  expect(data.probes).toMatchObject({ totalCount: 1, nodes: [{ name: "p1", states: { totalCount: 4 } }] });
  expect(data.probeStates).toMatchObject({ totalCount: 8, pageInfo: { hasNextPage: true } });
  const rest = await on.ask(
    "query ($id: ID!, $after: String) { agent(id: $id) { probeStates(after: $after) { nodes { item } pageInfo { hasNextPage } } } }",
    { id: data.agent.id, after: page.pageInfo.endCursor },
  );
  expect(rest.data.agent.probeStates).toMatchObject({ nodes: [{ item: "y" }], pageInfo: { hasNextPage: false } });
  const found = await on.ask(
    '{ agents(filter: { labels: { site: "b" }, statuses: [ONLINE, OFFLINE] }) { totalCount nodes { name } } }',
  );
  expect(found.data.agents).toMatchObject({ totalCount: 1, nodes: [{ name: "b" }] });
});

test("the plugins describe their options as JSON Schema", async () => {
  await using on = await testServer();
  const { data } = await on.ask(
    "{ plugins { name probes { kind configSchema intervalMs } remediations { kind risk inputSchema verifyProbe } } }",
  );
  const docker = data.plugins.find((plugin: { name: string }) => plugin.name === "docker");
  expect(docker.remediations.map((r: { kind: string }) => r.kind)).toContain("docker.restart");
  expect(docker.probes[0]).toMatchObject({ configSchema: { type: "object" }, intervalMs: expect.any(Number) });
});
