import { once } from "node:events";
import { GraphQLError } from "graphql";
import { expect, test, vi } from "vitest";
import { refuse, testCli } from "../testing/test-cli.js";

const cli = testCli();
const { poppo, roots } = cli;

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
  await cli.server.stop();
  const { code, stderr } = await cli.shell.run(["status"], { env: { POPPO_PORT: String(cli.server.port) } });
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
  [["incidents", "snooze", "1", "--for", "2 hours"], "'2 hours' is invalid. Write it like 30s, 10m, 2h or 90d."],
  [["incidents", "snooze", "1"], "required option '--for <duration>' not specified"],
  [["incidents", "severity", "1", "P9"], "'P9' is invalid for argument 'severity'. Allowed are P0, P1, P2, P3."],
  [["incidents", "merge", "1"], "missing required argument 'from'"],
  [["incidents", "raise", "x"], "required option '--severity <severity>' not specified"],
  [["incidents", "raise", "x", "--severity", "P1", "--evidence", "{"], "'{' is invalid. It is not JSON:"],
  [["probes", "update", "disks"], "required option '-f, --file <file>' not specified"],
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

test("Ctrl-C during a request ends it at once with 130", async () => {
  roots.incidents = () => new Promise(() => {});
  const list = cli.shell.start(["incidents", "list"], { POPPO_URL: cli.server.url });
  await vi.waitFor(() => expect(cli.server.requests).toHaveLength(1), { timeout: 10_000 });
  list.child.kill("SIGINT");
  await once(list.child, "close");
  expect((await list.ended).code).toBe(130);
});
