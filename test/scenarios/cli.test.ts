import {
  CreateProbeDocument,
  CreateServiceDocument,
  IncidentDetailsDocument,
  ProbeDocument,
  RaiseIncidentDocument,
  ResolveIncidentDocument,
  SetRemediationPolicyDocument,
  unwrap,
} from "@poppo-ops/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../packages/api/src/db/testing/test-database.js";
import { build, openShell, type Shell } from "../../packages/client/src/testing/run-cli.js";
import { ADMIN_TOKEN, type ServerProcess, startServerProcess } from "../harness/server-process.js";

let database: TestDatabase;
let server: ServerProcess;
let shell: Shell;

beforeAll(async () => {
  await build();
  database = await testDatabase();
  server = await startServerProcess({ DATABASE_URL: database.url });
  shell = await openShell();
});
afterAll(async () => {
  await shell[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** The command line against the real server. */
const poppo = (args: string[], input?: string) =>
  shell.run(args, { input, env: { POPPO_URL: server.url, POPPO_TOKEN: ADMIN_TOKEN } });

async function raise(title: string): Promise<{ id: string; number: number; no: string }> {
  const { raiseIncident } = await server.client.request(RaiseIncidentDocument, { input: { title, severity: "P2" } });
  const { id, number } = unwrap(raiseIncident).incident!;
  return { id, number, no: String(number) };
}

const details = async (number: number) =>
  (await server.client.request(IncidentDetailsDocument, { number, timelineFirst: 50 })).incident!;
const summaries = async (number: number) => (await details(number)).timeline.events.map(({ summary }) => summary);

describe("incidents", () => {
  test("raise opens one with what it was told; raised again with its key it counts a duplicate", async () => {
    await server.client.request(CreateServiceDocument, { input: { name: "shop" } });
    const args = ["incidents", "raise", "checkout is slow", "--severity", "p1", "--service", "shop"];
    args.push("--category", "external-api", "--dedup-key", "checkout", "--evidence", '{"ms":900}');
    const first = await poppo([...args, "--json"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    const { number } = JSON.parse(first.stdout) as { number: number };
    expect(await details(number)).toMatchObject({
      title: "checkout is slow",
      severity: "P1",
      category: "EXTERNAL_API",
      service: { name: "shop" },
      evidence: { ms: 900 },
    });
    expect((await poppo(args)).stdout).toBe(`#${number} was open already, and has come 2 times: checkout is slow\n`);
  });

  test("assign is to who is named, to the caller, or to nobody", async () => {
    const { number, no } = await raise("disk is full");
    await poppo(["incidents", "assign", no]);
    expect((await details(number)).assignee).toBe((await details(number)).source);
    expect((await poppo(["incidents", "assign", `#${no}`, "ana"])).stdout).toBe(
      `#${no} assigned to ana: disk is full\n`,
    );
    expect(await poppo(["incidents", "assign", no, "ben", "--nobody"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('It is assigned to "ben" or to nobody.\nLeave out'),
    });
    expect((await details(number)).assignee).toBe("ana");
    expect((await poppo(["incidents", "assign", no, "--nobody"])).stdout).toBe(
      `#${no} assigned to nobody: disk is full\n`,
    );
    expect((await details(number)).assignee).toBeNull();
  });

  test("severity, note and snooze change it, and say so", async () => {
    const { number, no } = await raise("disk is full");
    expect((await poppo(["incidents", "severity", no, "p0", "-m", "all shops"])).stdout).toBe(
      `#${no} is P0: disk is full\n`,
    );
    expect((await poppo(["incidents", "note", no, "first line\nsecond"])).stdout).toBe(
      `#${no} has your note: disk is full\n`,
    );
    const snoozed = await poppo(["incidents", "snooze", no, "--for", "2h", "--json"]);
    expect(JSON.parse(snoozed.stdout)).toMatchObject({ number, status: "SNOOZED", severity: "P0" });
    expect(await summaries(number)).toEqual(
      expect.arrayContaining(["Severity P2 → P0: all shops", "first line", expect.stringMatching(/^Snoozed until /)]),
    );
  });

  test("merge makes several one, and reopen brings back what was resolved", async () => {
    const [into, second, third] = [await raise("web is down"), await raise("api is down"), await raise("all is down")];
    expect((await poppo(["incidents", "merge", into.no, second.no, third.id])).stdout).toBe(
      `#${into.no} took in ${second.no}, ${third.id}: web is down\n`,
    );
    expect(await details(third.number)).toMatchObject({ status: "MERGED", mergedInto: { number: into.number } });
    expect(await poppo(["incidents", "note", second.no, "x"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`Incident #${second.no} is MERGED into #${into.no}; note needs`),
    });
    await server.client.request(ResolveIncidentDocument, { input: { id: into.id } });
    expect((await poppo(["incidents", "reopen", into.no, "-m", "down again"])).stdout).toBe(
      `#${into.no} reopened: web is down\n`,
    );
    expect(await details(into.number)).toMatchObject({ status: "TRIGGERED" });
    expect(await summaries(into.number)).toContain("down again");
  });

  const VERBS: [verb: string, ...rest: string[]][] = [
    ["snooze", "--for", "1h"],
    ["assign", "ana"],
    ["severity", "P1"],
  ];

  test.each(VERBS)("%s of one that is resolved is refused with the rule and what to do, 1", async (verb, ...rest) => {
    const { id, no } = await raise("over");
    await server.client.request(ResolveIncidentDocument, { input: { id } });
    const { code, stderr, stdout } = await poppo(["incidents", verb, no, ...rest]);
    expect(stderr).toMatch(`Incident #${no} is RESOLVED; `);
    expect(stderr).toMatch(/needs TRIGGERED or ACKNOWLEDGED or SNOOZED\.\nLook at its state again/);
    expect(stdout).toBe("");
    expect(code).toBe(1);
  });

  test.each<[verb: string, ...rest: string[]]>([...VERBS, ["note", "x"], ["merge", "1"], ["reopen"]])(
    "%s of one that is not there is 5",
    async (verb, ...rest) => {
      expect(await poppo(["incidents", verb, "4711", ...rest])).toMatchObject({
        code: 5,
        stderr: expect.stringContaining("There is no incident #4711.\nSee `poppo-ops incidents list --status any`."),
      });
    },
  );

  test("a length that the server does not take is named, with what it takes", async () => {
    const { no } = await raise("noise");
    expect(await poppo(["incidents", "snooze", no, "--for", "90d"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"90d" is not a duration from 1m to 30d'),
    });
  });
});

describe("probes and policies", () => {
  const probeNamed = async (name: string) => (await server.client.request(ProbeDocument, { name })).probe!;

  test("update changes what the file gives and keeps the rest; disable and enable switch it", async () => {
    const made = { name: "disks", kind: "system.disk", interval: "30s", severity: "P1", category: "DISK" } as const;
    unwrap((await server.client.request(CreateProbeDocument, { input: made })).createProbe);
    const file = "kind: system.disk\nname: all disks\ninterval: 60s\nrules: { attempts: 5 }\nservice: shop\n";
    expect(await poppo(["probes", "update", "disks", "-f", "-"], file)).toMatchObject({
      code: 0,
      stdout: "Updated all disks (system.disk, every 1m).\n",
    });
    expect(await probeNamed("all disks")).toMatchObject({
      severity: "P1",
      category: "DISK",
      rules: { attempts: 5, recoveries: 2 },
      service: { name: "shop" },
    });
    await poppo(["probes", "update", "all disks", "-f", "-"], "service: null\n");
    expect(await probeNamed("all disks")).toMatchObject({ service: null, interval: "1m" });
    expect((await poppo(["probes", "disable", "all disks"])).stdout).toBe("Disabled all disks.\n");
    expect(await probeNamed("all disks")).toMatchObject({ enabled: false });
    expect((await poppo(["probes", "enable", "all disks"])).stdout).toBe("Enabled all disks.\n");
    expect(await probeNamed("all disks")).toMatchObject({ enabled: true });
  });

  test("an update that cannot be is refused, and nothing is changed", async () => {
    unwrap(
      (await server.client.request(CreateProbeDocument, { input: { name: "load", kind: "system.load" } })).createProbe,
    );
    const update = (file: string) => poppo(["probes", "update", "load", "-f", "-"], file);
    expect(await update("kind: system.disk")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('stdin, probe 1: kind is "system.disk", but load is system.load, for good.'),
    });
    expect(await update("intervall: 10s")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has "intervall".'),
    });
    expect(await update("- severity: P1\n- severity: P2\n")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("stdin holds several probes.\nGive a file with load alone."),
    });
    expect(await update("interval: 10ms")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"10ms" is not a duration from 1s to 1d'),
    });
    expect(await poppo(["probes", "update", "lod", "-f", "-"], "severity: P1")).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('There is no probe "lod".'),
    });
    expect(await probeNamed("load")).toMatchObject({ version: 1 });
  });

  test("deleting a policy is by its probe; a probe without one is 5", async () => {
    const { createProbe } = await server.client.request(CreateProbeDocument, {
      input: { name: "cpu", kind: "system.cpu" },
    });
    const probeId = unwrap(createProbe).probe!.id;
    const input = { probeId, mode: "APPROVAL" } as const;
    unwrap((await server.client.request(SetRemediationPolicyDocument, { input })).setRemediationPolicy);
    expect(await poppo(["policies", "delete", "cpu"])).toMatchObject({
      code: 0,
      stdout: "Deleted the policy of cpu: its remediations need approval again.\n",
    });
    expect(await poppo(["policies", "delete", "cpu"])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('There is no policy of probe "cpu".\nSee `poppo-ops policies list`.'),
    });
  });
});
