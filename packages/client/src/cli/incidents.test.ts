import { expect, test } from "vitest";
import { connection, id, incident } from "../testing/sample-data.js";
import { testCli } from "../testing/test-cli.js";

const { asked, poppo, roots } = testCli();

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
  expect(asked("Incidents")[0]).toMatchObject({
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
  expect(asked("Incidents")[1]).toMatchObject({
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
  expect(asked("Events")[0]!.variables).toMatchObject({ filter: { incidentIds: [id(12)] }, after: "c1" });
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
  expect(asked("AcknowledgeIncidents")[0]!.variables).toEqual({ input: { ids: [id(1), id(2), id(3)] } });
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
