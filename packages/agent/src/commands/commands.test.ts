import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Remediation, RemediationContext, Risk } from "@poppo-ops/plugins";
import { type CommandPayload, LIMITS, type OutputChunk } from "@poppo-ops/plugins/wire";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { systemClock as clock } from "../clock.js";
import { newId } from "../ids.js";
import { Outputs } from "../output/outputs.js";
import { listProcesses } from "../processes/proc.js";
import { Scheduler } from "../scheduler/scheduler.js";
import { temporaryFolder, tinyDisk } from "../testing/temporary-folder.js";
import { Commands } from "./commands.js";
import { Journal } from "./journal.js";
import { type Report, Reporter } from "./reporter.js";

const AGENT_ID = newId();
const graces = { intMs: 100, termMs: 100, killMs: 1000 };

/** Characters of two halves each. */
const LONG = "💥".repeat(40_000);

type Input = { script: string };
type Run = (input: Input, context: RemediationContext) => Promise<{ summary: string }>;

const shell: Run = async ({ script }, { exec }) => {
  const { exitCode } = await exec(["sh", "-c", script]);
  return { summary: `exit code ${exitCode}` };
};

function remediationOf(run: Run, risk: Risk): Remediation {
  return {
    ...{ title: "", description: "", risk, idempotent: false, reversible: "test", timeoutMs: 60_000 },
    input: z.strictObject({ script: z.string() }),
    verify: { probe: "test.it", withinMs: 1 },
    target: () => "test/it",
    preview: async (input) => ({ possible: true, actions: [`would run ${(input as Input).script}`], refusals: [] }),
    run: (input, context) => run(input as Input, context),
  };
}

/** The commands of an agent with one remediation, and a server that records what is reported. */
function setUp({ run = shell, risk = "R1" as Risk, journalDir = undefined as string | undefined } = {}) {
  const { path: folder, [Symbol.dispose]: removeFolder } = temporaryFolder();
  const keys = generateKeyPairSync("ed25519");
  const ran: unknown[] = [];
  const remediation = remediationOf((input, context) => {
    ran.push(input);
    return run(input, context);
  }, risk);
  const plugins = {
    probe: () => Promise.reject(new Error("none")),
    remediation: async (kind: string) => {
      if (kind === "test.it") return remediation;
      throw new Error(`this agent has no plugin for ${kind}`);
    },
  };
  const reports: Report[] = [];
  const chunks: OutputChunk[] = [];
  const shared = {
    clock,
    random: () => 0,
    redact: (text: string) => text.replaceAll("hunter2", "[redacted]"),
    warn() {},
  };
  const journal = new Journal(journalDir ?? folder);
  const outputs = new Outputs({
    ...{ ...shared, dir: join(folder, "output") },
    async send(batch) {
      chunks.push(...batch.chunks);
      return { seq: batch.chunks.at(-1)?.seq ?? -1 };
    },
  });
  const reporter = new Reporter({
    ...{ ...shared, journal },
    outputDelivered: (id) => outputs.delivered(id, 5000),
    async send(report) {
      reports.push(report);
    },
  });
  const scheduler = new Scheduler({ ...shared, plugins, report() {} });
  const commands = new Commands({
    ...{ ...shared, journal, reporter, outputs, plugins, scheduler, graces },
    ...{ agentId: AGENT_ID, serverKey: keys.publicKey, policy: { maxRisk: "R1", allow: [] } },
  });
  outputs.connected();
  reporter.connected();
  onTestFinished(async () => {
    await commands.stop();
    outputs.stop();
    journal.close();
    removeFolder();
  });
  const command = (changes: Partial<CommandPayload> = {}, key: KeyObject = keys.privateKey) => {
    const payload = { ...payloadOf(), ...changes };
    const text = JSON.stringify(payload);
    return { id: payload.id, payload: text, signature: sign(null, Buffer.from(text), key).toString("base64url") };
  };
  const endOf = (id: string) => reports.filter((report) => report.commandId === id && report.end);
  const settled = async (id: string) => {
    await vi.waitFor(() => expect(endOf(id)).not.toEqual([]));
    return endOf(id)[0]!;
  };
  return { commands, command, journal, reports, chunks, ran, settled, endOf, folder };
}

const payloadOf = (): CommandPayload => ({
  v: 1,
  id: newId(),
  agentId: AGENT_ID,
  kind: "REMEDIATE",
  fencingToken: 5,
  issuedAt: "2026-01-01T00:00:00Z",
  startBy: "2099-01-01T00:00:00Z",
  remediation: "test.it",
  input: { script: "echo done" },
  target: "test/it",
});

describe("a remediation", () => {
  test("runs, streams redacted output with dense numbers and offsets, and reports start and end", async () => {
    const { commands, command, settled, reports, chunks } = setUp();
    const signed = command({ input: { script: "echo one; echo password hunter2 >&2; printf 'no line end'; exit 3" } });
    await commands.receive(signed);
    expect(await settled(signed.id)).toMatchObject({ end: "SUCCEEDED", summary: "exit code 3", fencingToken: 5 });
    expect(reports.map(({ end }) => end)).toEqual([undefined, "SUCCEEDED"]);
    expect(chunks.map(({ seq }) => seq)).toEqual(chunks.map((_, i) => i));
    const text = (stream: string) =>
      chunks
        .filter((it) => it.stream === stream)
        .map((it) => it.text)
        .join("");
    expect(text("stdout")).toBe("one\nno line end");
    expect(text("stderr")).toBe("password [redacted]\n");
  });

  test("keeps the first and the last of a flood and says how much is missing", async () => {
    const { commands, command, settled, chunks } = setUp();
    const signed = command({ input: { script: "seq 1 300000" } });
    await commands.receive(signed);
    await settled(signed.id);
    expect(chunks[0]?.text.startsWith("1\n2\n")).toBe(true);
    expect(chunks.at(-1)?.text.endsWith("299999\n300000\n")).toBe(true);
    const note = chunks.find(({ stream }) => stream === "system");
    expect(note?.text).toMatch(/^\[\d+ bytes of output left out\]\n$/);
    const kept = chunks.filter(({ stream }) => stream === "stdout").reduce((sum, { text }) => sum + text.length, 0);
    expect(kept + Number(/\d+/.exec(note?.text ?? "")?.[0])).toBe(1_988_895);
    expect(Math.max(...chunks.map(({ text }) => text.length))).toBeLessThanOrEqual(16 * 1024);
  });

  test("that fails says what the plugin said", async () => {
    const { commands, command, settled } = setUp({
      run: () => Promise.reject(new Error("no such container, token hunter2")),
    });
    const signed = command();
    await commands.receive(signed);
    expect(await settled(signed.id)).toMatchObject({ end: "FAILED", summary: "no such container, token [redacted]" });
  });

  test("that is cancelled takes its stubborn process tree with it and says that nothing survived", async () => {
    const { commands, command, settled, chunks } = setUp();
    const script = `trap "" INT TERM; sh -c 'trap "" INT TERM; sleep 86399 & wait; sleep 86399' & echo ready; while :; do sleep 86399; done`;
    const signed = command({ input: { script } });
    void commands.receive(signed);
    await vi.waitFor(() => expect(chunks[0]?.text).toBe("ready\n"));
    const cancel = command({ kind: "CANCEL", cancels: signed.id, target: undefined });
    await commands.receive(cancel);
    expect(await settled(signed.id)).toMatchObject({
      end: "CANCELLED",
      summary: "cancelled; no process survived",
      survivors: [],
    });
    expect(await settled(cancel.id)).toMatchObject({ end: "SUCCEEDED" });
  });

  test("that is cancelled names the process that left its group", async () => {
    const { commands, command, settled, chunks } = setUp();
    const signed = command({ input: { script: "setsid sh -c 'echo $$; exec sleep 86398' & wait" } });
    void commands.receive(signed);
    await vi.waitFor(() => expect(chunks[0]?.text).toMatch(/^\d+\n$/));
    const pid = Number(chunks[0]?.text);
    onTestFinished(() => void process.kill(pid, "SIGKILL"));
    await commands.receive(command({ kind: "CANCEL", cancels: signed.id, target: undefined }));
    expect(await settled(signed.id)).toMatchObject({
      end: "CANCELLED",
      summary: `cancelled; still running: pid ${pid}`,
      survivors: [pid],
    });
  });

  test("that is cancelled before it came ends CANCELLED, and does not run when it comes", async () => {
    const { commands, command, settled, ran, folder } = setUp();
    const signed = command();
    const cancel = command({ kind: "CANCEL", cancels: signed.id, target: undefined });
    await commands.receive(cancel);
    expect(await settled(signed.id)).toMatchObject({ end: "CANCELLED", fencingToken: 5, survivors: [] });
    expect(await settled(cancel.id)).toMatchObject({ end: "SUCCEEDED" });
    await commands.receive(signed);
    expect(ran).toEqual([]);
    const journal = new Journal(folder);
    expect(journal.find(signed.id)?.end?.end).toBe("CANCELLED");
    journal.close();
  });

  test("that takes too long ends TIMED_OUT with its processes", async () => {
    const { commands, command, settled } = setUp();
    const signed = command({ input: { script: "exec sleep 86397" }, timeoutMs: 200 });
    await commands.receive(signed);
    expect(await settled(signed.id)).toMatchObject({
      end: "TIMED_OUT",
      summary: "did not end within 200 ms; no process survived",
    });
  });

  test("may leave a daemon behind that keeps its output open", async () => {
    const { commands, command, settled, chunks } = setUp();
    const signed = command({ input: { script: "setsid sleep 86396 & echo $!" } });
    await commands.receive(signed);
    expect(await settled(signed.id)).toMatchObject({ end: "SUCCEEDED" });
    await vi.waitFor(() => expect(chunks).toHaveLength(1));
    const daemon = Number(chunks[0]!.text);
    onTestFinished(() => void process.kill(daemon, "SIGKILL"));
    // For a moment it is still the program that becomes it.
    await vi.waitFor(() => expect(readFileSync(`/proc/${daemon}/cmdline`, "utf8")).toBe("sleep\u000086396\u0000"));
  });

  test.for<[string, Partial<CommandPayload>, Run?]>([
    ["its summary", {}, async () => ({ summary: LONG })],
    ["its error", {}, async () => Promise.reject(new Error(LONG))],
    ["its preview", { kind: "PREVIEW", input: { script: LONG } }],
    ["its refusal", { remediation: LONG }],
  ])("is reported as the server takes it, however long %s is", async ([, changes, run]) => {
    const { commands, command, settled } = setUp({ run });
    const signed = command(changes);
    await commands.receive(signed);
    const { summary, result } = await settled(signed.id);
    expect(summary!.length).toBeLessThanOrEqual(LIMITS.reportSummaryChars);
    expect(summary!.length).toBeGreaterThan(LIMITS.reportSummaryChars - 3);
    expect(summary).toMatch(/💥…$/);
    expect(summary!.isWellFormed()).toBe(true);
    expect(JSON.stringify(result ?? null).length).toBeLessThanOrEqual(LIMITS.reportResultChars);
  });

  test("is stopped when the server has been out of reach for the lease", async () => {
    const { commands, command, settled, chunks } = setUp();
    const signed = command({ input: { script: "echo ready; exec sleep 86395" } });
    void commands.receive(signed);
    await vi.waitFor(() => expect(chunks).toHaveLength(1));
    commands.disconnected(50);
    expect((await settled(signed.id)).summary).toContain("lease expired: no contact with the server for 50 ms");
  });

  test("gives way to a newer claim of its target", async () => {
    const { commands, command, settled, chunks } = setUp();
    const older = command({ input: { script: "echo ready; exec sleep 86394" } });
    void commands.receive(older);
    await vi.waitFor(() => expect(chunks).toHaveLength(1));
    const newer = command({ fencingToken: 6 });
    await commands.receive(newer);
    expect(await settled(older.id)).toMatchObject({ end: "INTERRUPTED", survivors: [] });
    expect(await settled(newer.id)).toMatchObject({ end: "SUCCEEDED" });
  });

  test("runs once, however often it is delivered, also after a restart", async () => {
    const first = setUp();
    const signed = first.command();
    await Promise.all([first.commands.receive(signed), first.commands.receive(signed)]);
    await first.settled(signed.id);
    await first.commands.receive(signed);
    expect(first.ran).toHaveLength(1);
    await vi.waitFor(() => expect(first.endOf(signed.id).length).toBeGreaterThan(1));
    expect(new Set(first.endOf(signed.id).map(({ end }) => end))).toEqual(new Set(["SUCCEEDED"]));

    const journal = new Journal(first.folder);
    expect(journal.find(signed.id)?.end?.end).toBe("SUCCEEDED");
    expect(journal.highestToken("test/it")).toBe(5);
    journal.close();
  });
});

describe("a command is refused, and nothing runs,", () => {
  const stranger = generateKeyPairSync("ed25519").privateKey;
  test.each<[string, Partial<CommandPayload>, string, KeyObject?]>([
    ["without the server's signature", {}, "signature: not signed by the server this agent enrolled with", stranger],
    ["for another agent", { agentId: "other" }, "agent: meant for other"],
    ["too late", { startBy: "2020-01-01T00:00:00Z" }, "startBy: had to start by 2020-01-01T00:00:00Z"],
    ["with an invalid input", { input: { scrpt: "x" } }, "input: the input of test.it is invalid"],
    ["for another target than it would touch", { target: "test/other" }, 'target: test.it would touch "test/it"'],
    ["for an unknown plugin", { remediation: "nope.it" }, "plugin: this agent has no plugin for nope.it"],
    ["for a probe that is not assigned", { kind: "RUN_PROBE", probeId: "p1" }, "probe: p1 is not assigned"],
  ])("%s", async (_, changes, summary, key) => {
    const { commands, command, settled, ran } = setUp();
    const signed = command(changes, key);
    await commands.receive(signed);
    expect(await settled(signed.id)).toMatchObject({ end: "REFUSED", summary: expect.stringContaining(summary) });
    expect(ran).toEqual([]);
  });

  test("above the risk this host allows; its preview says so", async () => {
    const { commands, command, settled, ran } = setUp({ risk: "R2" });
    const signed = command();
    await commands.receive(signed);
    expect((await settled(signed.id)).summary).toContain(
      "policy: test.it is R2, this host allows R1, and no rule allows test.it; ",
    );
    const preview = command({ kind: "PREVIEW" });
    await commands.receive(preview);
    expect((await settled(preview.id)).result).toMatchObject({
      actions: ["would run echo done"],
      refusals: [expect.stringContaining("policy: ")],
    });
    expect(ran).toEqual([]);
  });

  test("with a fencing token below the highest seen for its target", async () => {
    const { commands, command, settled } = setUp();
    await commands.receive(command({ fencingToken: 9 }));
    const stale = command({ fencingToken: 8 });
    await commands.receive(stale);
    expect((await settled(stale.id)).summary).toBe('fencing: token 8 for "test/it" is stale; 9 was seen already');
  });

  test.for<[string, Partial<CommandPayload>, string]>([
    ["while the disk is full", {}, "journal: the start cannot be recorded (ENOSPC"],
    ["by another rule while the disk is full", { target: "test/other" }, "target: test.it would touch"],
  ])("%s, at every delivery; the agent can stop", async ([_, changes, summary], { skip }) => {
    using folder = temporaryFolder();
    using disk = tinyDisk(folder.path, "64k");
    if (!disk) return skip("needs permission to mount a tmpfs");
    const { commands, command, settled, endOf, reports, ran } = setUp({ journalDir: disk.path });
    expect(() => writeFileSync(join(disk.path, "filler"), Buffer.alloc(2 ** 17))).toThrow("ENOSPC");
    const signed = command(changes);
    await commands.receive(signed);
    expect(await settled(signed.id)).toMatchObject({ end: "REFUSED", summary: expect.stringContaining(summary) });
    await commands.receive(signed);
    await vi.waitFor(() => expect(endOf(signed.id)).toHaveLength(2));
    expect(reports.map(({ end }) => end)).toEqual(["REFUSED", "REFUSED"]);
    expect(ran).toEqual([]);
    await commands.stop();
  });
});

test("a command that arrives while the agent stops is neither run nor refused: the server delivers it again", async () => {
  const { commands, command, settled, journal, reports, chunks, ran } = setUp();
  const running = command({ input: { script: `trap "" INT; echo ready; while :; do sleep 0.01; done` } });
  void commands.receive(running);
  await vi.waitFor(() => expect(chunks).toHaveLength(1));
  const stopping = commands.stop();
  const late = command({ fencingToken: 6, target: "test/it" });
  await commands.receive(late);
  await commands.receive(command({}, generateKeyPairSync("ed25519").privateKey));
  await stopping;
  expect(await settled(running.id)).toMatchObject({ end: "INTERRUPTED", survivors: [] });
  expect(ran).toHaveLength(1);
  expect(journal.find(late.id)).toBeUndefined();
  expect(new Set(reports.map(({ commandId }) => commandId))).toEqual(new Set([running.id]));
});

test("a command cut off by a crash ends INTERRUPTED once, its processes are stopped, and it does not run again", async () => {
  const crashed = setUp();
  const signed = crashed.command({
    input: { script: `echo ran >> ${crashed.folder}/ran; echo ready; exec sleep 86393` },
  });
  void crashed.commands.receive(signed);
  await vi.waitFor(() => expect(existsSync(join(crashed.folder, "ran"))).toBe(true));

  // A second process on the same journal, as after kill -9: the first one's memory is of no use to it.
  const journal = new Journal(crashed.folder);
  const [group] = journal.find(signed.id)?.groups ?? [];
  const reports: Report[] = [];
  const reporter = new Reporter({
    ...{ journal, clock, random: () => 0, warn() {}, outputDelivered: async () => {} },
    send: async (report) => void reports.push(report),
  });
  const options = { journal, reporter, clock, graces, warn() {} } as unknown as ConstructorParameters<
    typeof Commands
  >[0];
  await new Commands(options).recover();
  reporter.connected();
  await reporter.idle();
  expect(reports).toMatchObject([{ commandId: signed.id, end: "INTERRUPTED", survivors: [] }]);
  expect(listProcesses().filter((it) => it.group === group?.pid)).toEqual([]);
  expect(readFileSync(join(crashed.folder, "ran"), "utf8")).toBe("ran\n");
  journal.close();
});
