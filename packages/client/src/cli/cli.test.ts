import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GraphQLError } from "graphql";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { chain } from "../testing/chain.js";
import { FakeLog } from "../testing/fake-log.js";
import { type FakeServer, type Roots, startFakeServer } from "../testing/fake-server.js";
import { build, openShell, type Shell } from "../testing/run-cli.js";
import { agent, connection, id, incident, probe, probeState, run, service } from "../testing/sample-data.js";
import { writeCredentials } from "./credentials.js";

let roots: Roots;
let server: FakeServer;
let shell: Shell;

beforeAll(build, 120_000);
beforeEach(async () => {
  roots = {};
  server = await startFakeServer({ roots });
  shell = await openShell();
});
afterEach(async () => {
  await shell[Symbol.asyncDispose]();
  await server.stop();
});

const poppo = (args: string[], options: { input?: string; env?: Record<string, string> } = {}) =>
  shell.run(args, { ...options, env: { POPPO_URL: server.url, POPPO_TOKEN: "t", ...options.env } });
const refuse =
  (code: string, message = "no") =>
  () => {
    throw new GraphQLError(message, { extensions: { code, requestId: "r-1" } });
  };

describe("incidents", () => {
  test("list shows open ones as an aligned table without colours", async () => {
    roots.incidents = () =>
      connection([incident(7, { title: "disk full" }), incident(12, { severity: "P0" })], {
        totalCount: 9,
        hasNextPage: true,
      });
    const { stdout, code } = await poppo(["incidents", "list"]);
    expect(code).toBe(0);
    const [head, first, second, rest] = stdout.split("\n");
    expect(head).toMatch(/^NO +SEV +STATUS +LAST SEEN +TIMES +SERVICE +TITLE$/);
    expect(first).toMatch(/^#7 +P1 +TRIGGERED +\d+d ago +3 +shop +disk full$/);
    expect(second!.indexOf("incident 12")).toBe(head!.indexOf("TITLE"));
    expect(rest).toBe("2 of 9 shown; --all shows every one.");
    expect(server.asked("Incidents")[0]).toMatchObject({
      authorization: "Bearer t",
      variables: { filter: { statuses: ["ACKNOWLEDGED", "SNOOZED", "TRIGGERED"] }, orderBy: "SEVERITY", first: 50 },
    });
  });

  test("list --json is one document, also with --all over several pages", async () => {
    roots.incidents = ({ after }: { after?: string }) =>
      after
        ? connection([incident(2)], { totalCount: 2 })
        : connection([incident(1)], { totalCount: 2, hasNextPage: true });
    const { stdout } = await poppo(["--json", "incidents", "list", "--all", "--severity", "p0,p1", "--status", "any"]);
    expect(JSON.parse(stdout)).toMatchObject({ totalCount: 2, nodes: [{ number: 1 }, { number: 2 }] });
    expect(server.asked("Incidents")[1]).toMatchObject({
      variables: { after: "end", filter: { severities: ["P0", "P1"] } },
    });
  });

  test("titles cannot drive the terminal", async () => {
    roots.incidents = () => connection([incident(1, { title: "a\u001b]0;pwned\u0007\u001b[2Jb\nc" })]);
    expect((await poppo(["incidents", "list"])).stdout).toContain("a]0;pwned[2Jb c");
  });

  test("show has evidence with its log lines", async () => {
    roots.incident = ({ number }: { number: number }) => incident(number, { title: "web died" });
    const { stdout } = await poppo(["incidents", "show", "#12"]);
    expect(stdout).toContain("#12 P1 TRIGGERED web died");
    expect(stdout).toContain("exitCode: 137");
    expect(stdout).toContain("    out of memory\n    killed");
  });

  test("show has a note with all its lines", async () => {
    const event = {
      cursor: "c",
      at: "2026-01-01T00:00:00Z",
      actor: "ana",
      type: "incident.note_added",
      summary: "hello",
    };
    const timeline = () => ({ events: [{ ...event, payload: { text: "hello\nworld" } }], cursor: "c", caughtUp: true });
    roots.incident = ({ number }: { number: number }) => incident(number, { timeline });
    const { stdout } = await poppo(["incidents", "show", "12"]);
    expect(stdout).toMatch(/incident\.note_added +hello \(ana\)\n +world\n/);
  });

  test("show aligns its timeline, however long a type is", async () => {
    const types = ["incident.raised", "incident.severity_changed"];
    const events = types.map((type) => ({
      cursor: "c",
      at: "2026-01-01T00:00:00Z",
      actor: "test",
      type,
      summary: "it",
    }));
    const timeline = { events: events.map((event) => ({ ...event, payload: {} })), cursor: "c", caughtUp: true };
    roots.incident = ({ number }: { number: number }) => incident(number, { timeline });
    const { stdout } = await poppo(["incidents", "show", "12"]);
    const lines = stdout.split("\n").filter((line) => line.endsWith("it (test)"));
    expect(lines).toHaveLength(2);
    expect(lines[0]!.length).toBe(lines[1]!.length);
  });

  test("show has the timeline to its end", async () => {
    const entry = (n: number) => ({
      cursor: `c${n}`,
      at: "2026-01-01T00:00:00Z",
      actor: "test",
      type: "incident.reraised",
      summary: `entry ${n}`,
      payload: {},
    });
    roots.incident = ({ number }: { number: number }) =>
      incident(number, { timeline: () => ({ events: [entry(1)], cursor: "c1", caughtUp: false }) });
    roots.events = ({ after }: { after: string }) =>
      after === "c1"
        ? { events: [entry(2)], cursor: "c2", caughtUp: false }
        : { events: [entry(3)], cursor: "c3", caughtUp: true };
    const { stdout } = await poppo(["incidents", "show", "12"]);
    expect(stdout.match(/entry \d/g)).toEqual(["entry 1", "entry 2", "entry 3"]);
    expect(server.asked("Events")[0]!.variables).toMatchObject({ filter: { incidentIds: [id(12)] }, after: "c1" });
  });

  test("ack takes several numbers and ids at once", async () => {
    roots.incident = ({ number }: { number: number }) => incident(number);
    roots.acknowledgeIncidents = ({ input }: { input: { ids: string[] } }) => ({
      incidents: input.ids.map((_, i) => incident(i + 1)),
      userErrors: [],
    });
    const { stdout, code } = await poppo(["incidents", "ack", "1", "#2", id(3)]);
    expect(code).toBe(0);
    expect(stdout.split("\n")).toHaveLength(4);
    expect(server.asked("AcknowledgeIncidents")[0]!.variables).toEqual({ input: { ids: [id(1), id(2), id(3)] } });
  });

  test("resolve tells what was done and fails for what was refused", async () => {
    roots.incident = ({ number }: { number: number }) => incident(number);
    roots.resolveIncidents = () => ({
      incidents: [incident(1)],
      userErrors: [{ code: "CONFLICT", message: "#2 is merged" }],
    });
    const { stdout, stderr, code } = await poppo(["incidents", "resolve", "1", "2", "-m", "done"]);
    expect(code).toBe(1);
    expect(stdout).toBe("#1 resolved: incident 1\n");
    expect(stderr).toContain("1 incident not resolved: #2 is merged");
  });

  test("watch goes on through a restart of the server, and ends with 130", async () => {
    const log = new FakeLog();
    Object.assign(roots, log.roots);
    const watch = shell.start(["incidents", "watch", "--json"], { POPPO_URL: server.url });
    await vi.waitFor(() => expect(log.open).toBe(1), { timeout: 10_000 });
    log.append(2);
    await vi.waitFor(() => expect(watch.result.stdout.split("\n")).toHaveLength(3));
    await server.stop();
    log.append(1);
    server = await startFakeServer({ roots, port: server.port });
    await vi.waitFor(() => expect(watch.result.stdout.split("\n")).toHaveLength(4), { timeout: 15_000 });
    watch.child.kill("SIGINT");
    const { code, stdout } = await watch.ended;
    expect(code).toBe(130);
    const seen = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).summary);
    expect(seen).toEqual(["event 1", "event 2", "event 3"]);
  });

  test("a reader that has seen enough ends it quietly", async () => {
    const log = new FakeLog();
    Object.assign(roots, log.roots);
    const watch = shell.start(["incidents", "watch", "--json"], { POPPO_URL: server.url });
    await vi.waitFor(() => expect(log.open).toBe(1), { timeout: 10_000 });
    watch.child.stdout.destroy();
    log.append(50);
    expect(await watch.ended).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("exit codes", () => {
  test.each([
    ["UNAUTHENTICATED", 3, "Give a token"],
    ["FORBIDDEN", 3, "Use a token of a role"],
    ["UNAVAILABLE", 4, "Try again"],
    ["BAD_INPUT", 1, "Correct what is named"],
  ])("%s is %i, with what to do", async (error, expected, hint) => {
    roots.incidents = refuse(error, "said so");
    const { code, stderr, stdout } = await poppo(["incidents", "list"]);
    expect(code).toBe(expected);
    expect(stderr.split("\n")).toEqual(["poppo-ops: said so", expect.stringContaining(hint), ""]);
    expect(stdout).toBe("");
  });

  test.each([
    ['Variable "$input" got invalid value "x" at "input.interval"; Duration takes text', "Correct what is named"],
    ['Cannot query field "viewr" on type "Query".', "The server is of another version"],
  ])("%s: %s", async (message, hint) => {
    roots.incidents = refuse("GRAPHQL_VALIDATION_FAILED", message);
    expect((await poppo(["incidents", "list"])).stderr).toContain(hint);
  });

  test("a server that is not there is 4", async () => {
    await server.stop();
    const { code, stderr } = await shell.run(["status"], { env: { POPPO_PORT: String(server.port) } });
    expect(code).toBe(4);
    expect(stderr).toMatch(/Cannot reach http:\/\/127\.0\.0\.1:\d+\/graphql: .*ECONNREFUSED.*\nStart it with/);
  });

  test("what does not exist is 5", async () => {
    roots.incident = () => null;
    expect(await poppo(["incidents", "ack", "99"])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("no incident #99"),
    });
  });

  test("with --json the error is JSON on stderr", async () => {
    roots.incidents = refuse("INTERNAL", "bug");
    const { stderr, code } = await poppo(["incidents", "list", "--json"]);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: "INTERNAL", message: "bug", requestId: "r-1", exitCode: 1 },
    });
    expect(code).toBe(1);
  });

  test.each([
    [["incidnts"], "unknown command 'incidnts' (Did you mean incidents?)"],
    [["incidents", "list", "--severty", "P1"], "unknown option '--severty' (Did you mean --severity?)"],
    [["incidents", "list", "--severity", "P9"], "Allowed are P0, P1, P2, P3."],
    [["incidents", "list", "--first", "501"], "It takes a whole number from 1 to 500."],
    [["tokens", "create", "x", "--role", "viewer", "--expires", "5x"], "Write it like 30s, 10m, 2h or 90d."],
    [["agents", "enrol", "--expires", "soon"], "Write it like 30s, 10m, 2h or 90d."],
    [["pause", "migration", "--for", "1y"], "Write it like 30s, 10m, 2h or 90d."],
    [["policies", "set", "disks", "--mode", "approval", "--cooldown", "10"], "Write it like 30s, 10m, 2h or 90d."],
    [["policies", "set", "disks", "--mode", "approval", "--max-attempts", "101"], "a whole number from 1 to 100."],
    [["policies", "set", "disks", "--mode", "approval", "--breaker-after", "21"], "a whole number from 1 to 20."],
    [["agents", "enrol", "--server", "poppo.example.com"], "Write it like https://poppo.example.com."],
    [["incidents", "ack", "twelve"], '"twelve" is no incident'],
    [["incidents", "ack"], "missing required argument"],
    [["tokens", "create", "x"], "required option '--role <role>' not specified"],
  ])("%j is wrong usage, 2", async (args, message) => {
    const { code, stderr } = await poppo(args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });

  test("a cursor that is none is wrong usage, 2", async () => {
    roots.incidents = () => {
      throw new GraphQLError('after is "x", which is no cursor of this list; use a pageInfo.endCursor.', {
        extensions: { code: "BAD_INPUT", field: "after" },
      });
    };
    expect(await poppo(["incidents", "list", "--after", "x"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--after is "x"'),
    });
  });

  test("a noun alone shows its help, 2; --help is 0 and names the exit codes", async () => {
    expect(await poppo(["incidents"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Usage: poppo-ops incidents"),
    });
    const { stderr, code } = await poppo(["incidents", "--json"]);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "USAGE", hint: expect.stringContaining("list, show") } });
    expect(code).toBe(2);
    expect(await poppo(["--help"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("4    the server cannot be reached"),
    });
  });
});

describe("credentials", () => {
  test("come from the saved file, for the server they were saved for only", async () => {
    roots.incidents = () => connection([]);
    await writeCredentials(join(shell.home, ".poppo"), { url: server.url, token: "saved" });
    await shell.run(["incidents", "list"]);
    expect(server.asked("Incidents")[0]!.authorization).toBe("Bearer saved");
    await using other = await startFakeServer({ roots });
    await shell.run(["incidents", "list", "--url", other.url]);
    expect(other.asked("Incidents")[0]!.authorization).toBeUndefined();
  });

  test("are looked for as docs/configuration.md says: `~` is the home, an empty variable counts as absent", async () => {
    roots.incidents = () => connection([]);
    await writeCredentials(join(shell.home, "ops"), { url: server.url, token: "saved" });
    const empty = { POPPO_URL: "", POPPO_TOKEN: "", POPPO_HOST: "", POPPO_PORT: "" };
    await shell.run(["incidents", "list"], { env: { ...empty, POPPO_DATA_DIR: "~/ops" } });
    expect(server.asked("Incidents")[0]!.authorization).toBe("Bearer saved");
    const { stderr } = await shell.run(["incidents", "list"], {
      env: { ...empty, POPPO_DATA_DIR: "", POPPO_PORT: String(server.port) },
    });
    expect(stderr).toBe("");
    expect(server.asked("Incidents")[1]!.authorization).toBeUndefined();
  });

  test("a file that is damaged is named", async () => {
    await writeFile(join(shell.home, "credentials.json"), "{");
    const { stderr, code } = await shell.run(["status"], { env: { POPPO_DATA_DIR: shell.home } });
    expect(stderr).toContain(`${join(shell.home, "credentials.json")} is not JSON`);
    expect(code).toBe(1);
  });
});

test("status sums up and shows what needs somebody", async () => {
  Object.assign(roots, {
    viewer: { kind: "token", name: "ana", role: "ADMIN" },
    processing: { paused: true, owner: "ben", reason: "migration", since: "2026-01-01T00:00:00Z" },
    incidents: ({ filter }: { filter: { statuses: string[] } }) =>
      connection(filter.statuses.length === 1 ? [] : [incident(3)]),
    agents: () => connection([agent()]),
    probeStates: ({ filter }: { filter?: unknown }) =>
      filter ? connection([probeState()]) : connection([], { totalCount: 14 }),
    remediationRuns: () => connection([run()]),
  });
  const { stdout, code } = await poppo(["status"]);
  expect(code).toBe(0);
  expect(stdout).toContain("1 open incident, 0 not acknowledged\n1 of 1 agent online, 1 of 14 checks not well");
  expect(stdout).toMatch(/paused by ben, \d+d ago: migration/);
  expect(stdout).toContain("/ is 97% full");
  expect(stdout).toContain(id(700));
  expect(JSON.parse((await poppo(["status", "--json"])).stdout)).toMatchObject({
    url: server.url,
    waiting: { totalCount: 1 },
  });
});

test("what status, tokens and policies leave out is said", async () => {
  const total = { totalCount: 22, hasNextPage: true };
  const token = { id: id(1), name: "ci", role: "VIEWER", prefix: "poppo_api_ab", createdAt: "2026-01-01T00:00:00Z" };
  const policy = {
    id: id(2),
    probe: probe(),
    mode: "APPROVAL",
    cooldown: "10m",
    maxAttempts: 3,
    window: "24h",
    breakerAfter: 2,
    maxShare: 0.1,
    updatedAt: "2026-01-01T00:00:00Z",
    updatedBy: "ana",
  };
  Object.assign(roots, {
    viewer: { kind: "token", name: "ana", role: "ADMIN" },
    processing: { paused: false },
    incidents: () => connection([incident(3)], total),
    agents: () => connection([agent()]),
    probeStates: () => connection([probeState()], total),
    remediationRuns: () => connection([run()], total),
    apiTokens: () => connection([token], total),
    remediationPolicies: () => connection([policy], total),
  });
  const { stdout } = await poppo(["status"]);
  expect(stdout).toContain("1 of 22 shown; see `poppo-ops incidents list`.");
  expect(stdout).toContain("1 of 22 shown; see `poppo-ops probes list`.");
  expect(stdout).toContain("1 of 22 shown; see `poppo-ops remediations list --status awaiting-approval`.");
  for (const noun of ["tokens", "policies"])
    expect((await poppo([noun, "list"])).stdout).toContain("1 of 22 shown; --all shows every one.");
});

describe("agents and probes", () => {
  test("enrol prints a config file that stands alone", async () => {
    roots.createEnrolmentToken = () => ({ token: "poppo_enrol_x", expiresAt: "2026-01-01T00:15:00Z", userErrors: [] });
    const { stdout, stderr } = await poppo(["agents", "enrol", "--name", "web-1", "--label", "role=web"]);
    expect(stdout).toContain(`server: ${server.url}\nname: web-1\nenrolmentToken: poppo_enrol_x\n`);
    expect(stderr).toBe("");
    expect(server.asked("CreateEnrolmentToken")[0]!.variables).toEqual({
      input: { namePattern: "web-1", labels: { role: "web" } },
    });
  });

  test("enrol writes the address that the agent will use, and asks the server that the saved token is of", async () => {
    roots.createEnrolmentToken = () => ({ token: "poppo_enrol_x", expiresAt: "2026-01-01T00:15:00Z", userErrors: [] });
    await writeCredentials(join(shell.home, ".poppo"), { url: server.url, token: "saved" });
    const { stdout, code } = await shell.run(["agents", "enrol", "--server", "https://poppo.example.com"]);
    expect(code).toBe(0);
    expect(stdout).toContain("server: https://poppo.example.com\n");
    expect(server.asked("CreateEnrolmentToken")[0]).toMatchObject({ authorization: "Bearer saved" });
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

  test("create reads every probe of a file, and a service by its name", async () => {
    roots.service = ({ name }: { name: string }) => service(name);
    roots.createProbe = ({ input }: { input: Record<string, unknown> }) => ({ probe: probe(input), userErrors: [] });
    const input =
      "- {name: a, kind: http.check, service: shop, config: {url: 'http://x'}}\n- {name: b, kind: system.cpu}\n---\nname: c\nkind: system.load\n";
    const { stdout, stderr } = await poppo(["probes", "create", "-f", "-"], { input });
    expect(stderr).toBe("");
    expect(stdout.split("\n")).toHaveLength(4);
    expect(server.asked("CreateProbe").map(({ variables }) => variables.input)).toEqual([
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
    expect(server.requests).toEqual([]);
  });

  test("create takes the words of a file in any case", async () => {
    roots.createProbe = ({ input }: { input: Record<string, unknown> }) => ({ probe: probe(input), userErrors: [] });
    const input = "{name: a, kind: x.y, severity: p1, category: external-api, interval: 10s}";
    expect(await poppo(["probes", "create", "-f", "-"], { input })).toMatchObject({ code: 0, stderr: "" });
    expect(server.asked("CreateProbe")[0]!.variables).toMatchObject({
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
    expect(server.requests).toEqual([]);
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
});

describe("history", () => {
  test("shows what a probe has seen, of the agent, status and time that are named", async () => {
    roots.probe = () => probe();
    roots.agent = () => agent();
    roots.probeResults = () =>
      connection([{ ...probeState({ status: "WARN" }), at: "2026-01-01T00:00:00Z", durationMs: 12.4 }]);
    const args = ["--agent", "web-1", "--since", "2026-01-01", "--status", "warn"];
    const { stdout, code } = await poppo(["probes", "history", ...args, "disks"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ago +web-1 +\/ +WARN +12 ms +\/ is 97% full/);
    expect(server.asked("ProbeResults")[0]!.variables).toEqual({
      filter: { probeId: id(600), agentIds: [id(500)], statuses: ["WARN"], since: "2026-01-01T00:00:00.000Z" },
      first: 50,
    });
    expect(await poppo(["probes", "history", "disks", "--since", "soon"])).toMatchObject({ code: 2 });
  });

  test("delete finds a probe by its name", async () => {
    roots.probe = () => probe();
    roots.deleteProbe = () => ({ deletedId: id(600), userErrors: [] });
    expect(await poppo(["probes", "delete", "disks"])).toMatchObject({ code: 0, stdout: "Deleted disks.\n" });
    expect(server.asked("DeleteProbe")[0]!.variables).toEqual({ input: { id: id(600) } });
  });
});

describe("remediations", () => {
  test("a run is named by its id, or by its incident's number for the newest one", async () => {
    roots.incident = ({ number }: { number: number }) => (number === 12 ? incident(12) : null);
    roots.remediationRuns = () => connection([run()]);
    roots.cancelRemediation = () => ({ run: run({ status: "CANCELLED" }), userErrors: [] });
    expect(await poppo(["remediations", "cancel", "12"])).toMatchObject({ code: 0 });
    expect(server.asked("RemediationRuns")[0]!.variables).toEqual({ filter: { incidentIds: [id(12)] }, first: 1 });
    expect(server.asked("CancelRemediation")[0]!.variables).toEqual({ input: { id: id(700) } });
    expect(await poppo(["remediations", "show", "13"])).toMatchObject({ code: 5 });
    expect(await poppo(["remediations", "logs", "web"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"web" is no remediation run: write its id'),
    });
  });

  test("list begins with what is short; the id comes last", async () => {
    const long = run({ incident: incident(12), summary: "restarted" });
    roots.remediationRuns = () => connection([long]);
    const [head, row] = (await poppo(["remediations", "list"])).stdout.split("\n");
    expect(head).toMatch(/^INCIDENT +STATUS .* SUMMARY +RUN$/);
    expect(row).toMatch(new RegExp(`^#12 +AWAITING_APPROVAL .* restarted +${id(700)}$`));
  });

  test("approve says how to follow", async () => {
    roots.approveRemediation = () => ({ run: run({ status: "QUEUED" }), userErrors: [] });
    const { stdout } = await poppo(["remediations", "approve", id(700), "-m", "ok"]);
    expect(stdout).toBe(
      `docker.restart on docker/web: QUEUED\nFollow it with \`poppo-ops remediations logs -f ${id(700)}\`.\n`,
    );
    expect(server.asked("ApproveRemediation")[0]!.variables).toEqual({ input: { id: id(700), reason: "ok" } });
  });

  test("a refusal names the rule", async () => {
    roots.approveRemediation = () => ({ userErrors: [{ code: "REFUSED_BY_POLICY", message: "cooldown: 4m left" }] });
    expect(await poppo(["remediations", "approve", id(700)])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cooldown: 4m left"),
    });
  });

  test("logs -f waits for the end of a run, which comes after the end of its output", async () => {
    const log = new FakeLog();
    let status = "RUNNING";
    Object.assign(roots, log.roots, {
      remediationOutput: async function* () {
        yield { remediationOutput: { chunks: [], ended: true } };
      },
      incidentSnapshot: () => ({ cursor: log.cursor(0), incidents: connection([]) }),
      remediationRun: () => run({ status }),
    });
    const logs = shell.start(["remediations", "logs", "-f", id(700)], { POPPO_URL: server.url });
    const reads = () => server.asked("RemediationRun");
    await vi.waitFor(() => expect(log.open).toBe(1), { timeout: 10_000 });
    expect(reads()).toHaveLength(1);
    status = "VERIFYING";
    log.append(1, { type: "remediation.verifying", payload: { runId: id(700) } });
    await vi.waitFor(() => expect(reads()).toHaveLength(2), { timeout: 10_000 });
    status = "SUCCEEDED";
    log.append(1, { type: "remediation.verified", payload: { runId: id(1) } });
    log.append(1, { type: "remediation.verified", payload: { runId: id(700) } });
    expect(await logs.ended).toMatchObject({ code: 0, stderr: "" });
    expect(reads()).toHaveLength(3);
  });

  test("logs -f writes the output as it comes and fails with a run that failed", async () => {
    roots.remediationOutput = async function* () {
      yield {
        remediationOutput: { chunks: [{ seq: 0, stream: "stdout", offset: 0, text: "stopping\n" }], ended: false },
      };
      yield { remediationOutput: { chunks: [{ seq: 1, stream: "stderr", offset: 0, text: "boom\n" }], ended: true } };
    };
    roots.incidentSnapshot = () => ({ cursor: "c", incidents: connection([]) });
    roots.remediationRun = () => run({ status: "FAILED", summary: "exit code 1" });
    const { stdout, stderr, code } = await poppo(["remediations", "logs", "-f", id(700)]);
    expect(stdout).toBe("stopping\n");
    expect(stderr).toContain("boom\n");
    expect(stderr).toContain("The run ended as FAILED: exit code 1");
    expect(code).toBe(1);
  });
});

test("tokens create prints the secret alone on stdout", async () => {
  roots.createApiToken = () => ({
    apiToken: { id: id(1), name: "ci", role: "INTEGRATION", prefix: "poppo_api_ab", createdAt: "2026-01-01T00:00:00Z" },
    token: "poppo_api_secret",
    userErrors: [],
  });
  const { stdout } = await poppo(["tokens", "create", "ci", "--role", "integration", "--expires", "90d"]);
  expect(stdout).toBe("poppo_api_secret\n");
  expect(server.asked("CreateApiToken")[0]!.variables).toEqual({
    input: { name: "ci", role: "INTEGRATION", expiresIn: "90d" },
  });
});

test("pause and resume work the kill switch", async () => {
  roots.pauseProcessing = () => ({ processing: { paused: true, until: "2126-01-01T00:00:00Z" }, userErrors: [] });
  roots.resumeProcessing = () => ({ processing: { paused: false }, userErrors: [] });
  expect((await poppo(["pause", "migration", "--for", "2h"])).stdout).toContain("Remediations are paused, until 2126");
  expect(server.asked("PauseProcessing")[0]!.variables).toEqual({ input: { reason: "migration", for: "2h" } });
  expect((await poppo(["resume"])).stdout).toBe("Remediations run again.\n");
});

describe("audit", () => {
  test("an export of many pages verifies offline", async () => {
    const all = chain(1203);
    roots.auditLog = ({ after, first }: { after: string; first: number }) =>
      all.slice(Number(after), Number(after) + first);
    const whole = await poppo(["audit", "export"]);
    expect(whole.stdout.trim().split("\n")).toHaveLength(1204);
    const rest = await poppo(["audit", "export", "--after", "1000"]);
    await server.stop();
    expect(await poppo(["audit", "verify"], { input: whole.stdout })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("1203 records are unbroken"),
    });
    expect(await poppo(["audit", "verify"], { input: rest.stdout })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("203 records are unbroken"),
    });
  });

  test("an export that failed leaves nothing, and nothing verifies nothing", async () => {
    roots.auditLog = refuse("UNAVAILABLE");
    expect(await poppo(["audit", "export"])).toMatchObject({ code: 4, stdout: "" });
    for (const input of ["", '{"after":"0","hash":""}\n'])
      expect(await poppo(["audit", "verify"], { input })).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringContaining("There is no record to check."),
      });
  });

  test("a broken record is named, and exits 1", async () => {
    const input = chain(5).map((record) => JSON.stringify(record.seq === "3" ? { ...record, body: "[3]" } : record));
    const { stderr, code } = await poppo(["audit", "verify"], { input: input.join("\n") });
    expect(stderr).toContain("broken at seq 3:");
    expect(code).toBe(1);
  });
});

test("Ctrl-C during a request ends it at once with 130", async () => {
  roots.incidents = () => new Promise(() => {});
  const list = shell.start(["incidents", "list"], { POPPO_URL: server.url });
  await vi.waitFor(() => expect(server.requests).toHaveLength(1), { timeout: 10_000 });
  list.child.kill("SIGINT");
  await once(list.child, "close");
  expect((await list.ended).code).toBe(130);
});
