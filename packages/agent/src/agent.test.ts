import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CLOSE } from "@poppo-ops/plugins/wire";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { newId } from "./ids.js";
import { listProcesses } from "./processes/proc.js";
import type { Assignment } from "./scheduler/assignment.js";
import { buildAgent, runAgent, startAgentProcess } from "./testing/agent-process.js";
import { temporaryFolder, tinyDisk } from "./testing/temporary-folder.js";
import { startTestServer, type TestServer } from "./testing/test-server.js";

beforeAll(buildAgent, 120_000);

const soon = { timeout: 20_000, interval: 20 };

/** A plugin in one file: a probe that counts its runs or misbehaves, and a remediation that runs a shell script. */
const PLUGIN = `
const schema = { safeParse: (data) => ({ success: true, data: data ?? {} }) };
const probe = (run) => ({ title: "t", description: "d", config: schema, intervalMs: 1000, timeoutMs: 1000, run });
export const plugin = {
  name: "test", version: "1.0.0", description: "d",
  probes: {
    count: probe(async (_, { memory }) => {
      const n = (memory.get("n") ?? 0) + 1;
      memory.set("n", n);
      return { status: "OK", summary: "run " + n, metrics: { n: [n, "1"] } };
    }),
    hang: probe(() => new Promise(() => {})),
    crash: probe(async () => {
      setTimeout(() => { throw new Error("thrown in a timer") });
      Promise.reject(new Error("a promise nobody awaits"));
      return { status: "OK", summary: "left two errors behind" };
    }),
  },
  remediations: {
    shell: {
      title: "t", description: "d", input: schema, risk: "R1", idempotent: false, reversible: "test", timeoutMs: 60000,
      verify: { probe: "test.count", withinMs: 1000 },
      target: (input) => input.target,
      preview: async (input) => ({ possible: true, actions: ["run " + input.script], refusals: [] }),
      run: async (input, { exec }) => ({ summary: "exit code " + (await exec(["sh", "-c", input.script])).exitCode }),
    },
  },
};`;

async function setUp() {
  const folder = temporaryFolder();
  const server = await startTestServer();
  writeFileSync(join(folder.path, "plugin.mjs"), PLUGIN);
  onTestFinished(async () => {
    await server[Symbol.asyncDispose]().catch(() => {});
    folder[Symbol.dispose]();
  });
  const start = (config: object = {}) => {
    const agent = startAgentProcess(folder.path, server.url, { plugins: ["./plugin.mjs"], ...config });
    onTestFinished(({ task }) => {
      if (task.result?.state === "fail") console.log(agent.log());
      return agent[Symbol.asyncDispose]();
    });
    return agent;
  };
  return { folder: folder.path, server, start };
}

const probe = (changes: Partial<Assignment> = {}): Assignment => ({
  probeId: newId(),
  name: "counter",
  kind: "test.count",
  config: {},
  intervalMs: 100,
  retryIntervalMs: 100,
  maxAttempts: 3,
  timeoutMs: 500,
  version: 1,
  ...changes,
});

const shell = (server: TestServer, script: string) =>
  server.command({
    kind: "REMEDIATE",
    remediation: "test.shell",
    input: { script, target: "test/a" },
    target: "test/a",
  });

const results = (server: TestServer) => [...server.state.results.values()];
/** Numbers from 1 to the last without a hole: nothing lost, nothing twice. */
const isDense = ({ state }: TestServer) =>
  [...state.results.keys()].every((seq, i) => seq === i + 1) && state.gaps.length === 0;

describe("an agent with one file and one token", () => {
  test("enrols, connects with a fresh assertion, and its results arrive", async () => {
    const { server, start } = await setUp();
    server.assign([probe()]);
    const agent = start({});
    await vi.waitFor(() => expect(results(server).length).toBeGreaterThan(3), soon);
    expect(server.state.enrolled).toMatchObject([{ name: "test-host", facts: { platform: "linux" } }]);
    expect(results(server)[0]).toMatchObject({ status: "OK", summary: "run 1", metrics: { n: [1, "1"] } });
    agent.kill("SIGTERM");
    expect(await agent.exited).toBe(0);
    expect(isDense(server)).toBe(true);
  });

  test("keeps probing while the server is away; afterwards nothing is missing and nothing came twice", async () => {
    const { server, start } = await setUp();
    server.assign([probe()]);
    const agent = start();
    await vi.waitFor(() => expect(results(server).length).toBeGreaterThan(2), soon);
    await server.down();
    const before = server.state.ackedSeq;
    await vi.waitFor(() => expect(agent.log()).toContain("connection lost"), soon);
    await server.up();
    await vi.waitFor(() => expect(server.state.ackedSeq).toBeGreaterThan(before + 5), soon);
    expect(isDense(server)).toBe(true);
    const runs = results(server).map(({ summary }) => summary);
    expect(runs).toEqual(runs.map((_, i) => `run ${i + 1}`));
    expect(new Set(server.state.assertions).size).toBe(server.state.assertions.length);
  });

  test("sends a batch again whose acknowledgement was lost, and recovers from refusals", async () => {
    const { server, start } = await setUp();
    server.assign([probe()]);
    server.control.refuseResults = 2;
    start();
    await vi.waitFor(() => expect(results(server).length).toBeGreaterThan(2), soon);
    server.control.holdAcks = new Promise(() => {});
    const before = server.state.ackedSeq;
    await vi.waitFor(() => expect(server.state.ackedSeq).toBeGreaterThan(before), soon);
    await server.down();
    server.control.holdAcks = undefined;
    await server.up();
    await vi.waitFor(() => expect(server.state.ackedSeq).toBeGreaterThan(before + 10), soon);
    expect(isDense(server)).toBe(true);
  });

  test("keeps spool, epoch and identity over kill -9, and probes at once though the server is away", async () => {
    const { server, start, folder } = await setUp();
    server.assign([probe()]);
    const first = start();
    await vi.waitFor(() => expect(results(server).length).toBeGreaterThan(2), soon);
    const { epoch } = server.state;
    await server.down();
    first.kill("SIGKILL");
    await first.exited;
    const second = start({ enrolmentToken: "used up" });
    await vi.waitFor(() => expect(second.log()).toContain("agent started"), soon);
    const spooled = () => readFileSync(join(folder, "data/spool", epoch ?? "", lastSegment(folder, epoch))).length;
    await vi.waitFor(() => expect(spooled()).toBeGreaterThan(500), soon);
    await server.up();
    await vi.waitFor(() => expect(results(server).filter(({ summary }) => summary === "run 1")).toHaveLength(2), soon);
    expect(server.state.epoch).toBe(epoch);
    expect(isDense(server)).toBe(true);
    expect(server.state.enrolled).toHaveLength(1);
  });

  test("survives plugins that hang and leave errors behind; the others go on", async () => {
    const { server, start } = await setUp();
    const hang = probe({ kind: "test.hang", timeoutMs: 100, name: "hanger" });
    const crash = probe({ kind: "test.crash", name: "crasher" });
    const good = probe();
    server.assign([hang, crash, good]);
    const agent = start();
    const of = ({ probeId }: Assignment) => results(server).filter((result) => result.probeId === probeId);
    // Three times its timeout and the grace after it.
    await vi.waitFor(() => expect(of(hang).at(-1)?.summary).toContain("quarantined"), { ...soon, timeout: 40_000 });
    await vi.waitFor(() => expect(of(crash).length).toBeGreaterThan(3), soon);
    expect(of(good).length).toBeGreaterThan(5);
    expect(agent.log()).toContain("thrown in a timer");
    expect(agent.log()).toContain("uncaught error of probe crasher (test.crash); the agent goes on");
  });

  test("starts and reports on a full disk", async ({ skip }) => {
    const { server, start, folder } = await setUp();
    using disk = tinyDisk(folder, "512k");
    if (!disk) return skip("needs permission to mount a tmpfs");
    server.assign([probe()]);
    const first = start({ dataDir: disk.path });
    await vi.waitFor(() => expect(results(server).length).toBeGreaterThan(2), soon);
    first.kill("SIGKILL");
    await first.exited;
    fillDisk(disk.path);
    const before = server.state.ackedSeq;
    start({ dataDir: disk.path });
    await vi.waitFor(() => expect(server.state.ackedSeq).toBeGreaterThan(before + 5), soon);
    expect(isDense(server)).toBe(true);
  });

  test("drains at SIGTERM: probes under way become INTERRUPTED and everything has left before it ends", async () => {
    const { server, start } = await setUp();
    server.assign([probe({ kind: "test.hang", timeoutMs: 60_000 }), probe()]);
    const agent = start();
    await vi.waitFor(() => expect(results(server).length).toBeGreaterThan(3), soon);
    agent.kill("SIGTERM");
    expect(await agent.exited).toBe(0);
    expect(results(server).filter(({ status }) => status === "INTERRUPTED")).toHaveLength(1);
    expect(isDense(server)).toBe(true);
  });

  test("takes a check that ignores TERM with it", async () => {
    const { server, start, folder } = await setUp();
    const script = `trap "" TERM; echo ran >> ${folder}/ran; exec sleep 86388`;
    server.assign([probe({ kind: "exec.nagios", config: { argv: ["sh", "-c", script] }, timeoutMs: 60_000 })]);
    const agent = start();
    await vi.waitFor(() => expect(existsSync(join(folder, "ran"))).toBe(true), soon);
    agent.kill("SIGTERM");
    expect(await agent.exited).toBe(0);
    expect(sleepers("86388")).toEqual([]);
    expect(results(server).map(({ status }) => status)).toEqual(["INTERRUPTED"]);
  });

  test("a second signal ends it where it stands, with exit code 130; the next start sends what is left", async () => {
    const { server, start } = await setUp();
    server.assign([probe()]);
    const first = start();
    await vi.waitFor(() => expect(results(server).length).toBeGreaterThan(2), soon);
    // What it waits for while it stops.
    server.control.holdAcks = new Promise(() => {});
    const before = server.state.ackedSeq;
    await vi.waitFor(() => expect(server.state.ackedSeq).toBeGreaterThan(before), soon);
    first.kill("SIGTERM");
    await vi.waitFor(() => expect(first.log()).toContain("SIGTERM: stopping"), soon);
    first.kill("SIGTERM");
    expect(await first.exited).toBe(130);
    server.control.holdAcks = undefined;
    const stopped = server.state.ackedSeq;
    start();
    await vi.waitFor(() => expect(server.state.ackedSeq).toBeGreaterThan(stopped + 3), soon);
    expect(isDense(server)).toBe(true);
  });
});

describe("commands", () => {
  test("a remediation runs, its output arrives before its end, and the verifying probe is watched", async () => {
    const { server, start } = await setUp();
    const verifier = probe({ intervalMs: 3_600_000 });
    server.assign([verifier]);
    start();
    await vi.waitFor(() => expect(results(server)).toHaveLength(1), soon);
    const signed = server.command({
      kind: "REMEDIATE",
      remediation: "test.shell",
      input: { script: "echo restarted", target: "test/a" },
      target: "test/a",
      verify: { probeId: verifier.probeId, everyMs: 50, forMs: 60_000 },
    });
    server.send(signed);
    await vi.waitFor(
      () => expect(server.endsOf(signed.id)).toMatchObject([{ end: "SUCCEEDED", summary: "exit code 0" }]),
      soon,
    );
    expect(server.state.output.map(({ text }) => text).join("")).toBe("restarted\n");
    await vi.waitFor(() => expect(results(server).length).toBeGreaterThan(4), soon);
  });

  test("kill -9 in the middle of one: after the restart one end, INTERRUPTED, and it did not run twice", async () => {
    const { server, start, folder } = await setUp();
    const agent = start();
    await vi.waitFor(() => expect(server.state.sessions).toBe(1), soon);
    const signed = shell(server, `echo ran >> ${folder}/ran; exec sleep 86391`);
    server.send(signed);
    await vi.waitFor(() => expect(existsSync(join(folder, "ran"))).toBe(true), soon);
    agent.kill("SIGKILL");
    await agent.exited;
    expect(sleepers("86391")).toHaveLength(1);
    start();
    await vi.waitFor(() => expect(server.endsOf(signed.id).length).toBeGreaterThan(0), soon);
    await vi.waitFor(() => expect(server.state.sessions).toBe(2), soon);
    expect(new Set(server.endsOf(signed.id).map(({ end }) => end))).toEqual(new Set(["INTERRUPTED"]));
    expect(server.endsOf(signed.id)[0]?.survivors).toEqual([]);
    expect(sleepers("86391")).toHaveLength(0);
    expect(readFileSync(join(folder, "ran"), "utf8")).toBe("ran\n");
  });

  test("what is forged or above the host's policy is refused with the rule's name", async () => {
    const { server, start, folder } = await setUp();
    start({ policy: { maxRisk: "R0" } });
    await vi.waitFor(() => expect(server.state.sessions).toBe(1), soon);
    const tooRisky = shell(server, `echo ran >> ${folder}/ran`);
    const forged = server.command({ kind: "REMEDIATE" }, generateKeyPairSync("ed25519").privateKey);
    server.send(tooRisky);
    server.send(forged);
    await vi.waitFor(
      () =>
        expect(server.endsOf(tooRisky.id)).toMatchObject([
          { end: "REFUSED", summary: expect.stringMatching(/^policy: /) },
        ]),
      soon,
    );
    await vi.waitFor(
      () =>
        expect(server.endsOf(forged.id)).toMatchObject([
          { end: "REFUSED", summary: expect.stringMatching(/^signature: /) },
        ]),
      soon,
    );
    expect(existsSync(join(folder, "ran"))).toBe(false);
  });

  test("a remediation is stopped at SIGTERM and its end is reported before the agent is gone", async () => {
    const { server, start, folder } = await setUp();
    const agent = start();
    await vi.waitFor(() => expect(server.state.sessions).toBe(1), soon);
    const signed = shell(server, `echo ran >> ${folder}/ran; exec sleep 86390`);
    server.send(signed);
    await vi.waitFor(() => expect(existsSync(join(folder, "ran"))).toBe(true), soon);
    agent.kill("SIGTERM");
    expect(await agent.exited).toBe(0);
    expect(server.endsOf(signed.id)).toMatchObject([{ end: "INTERRUPTED", survivors: [] }]);
  });
});

describe("the agent gives up, with a reason and an exit code,", () => {
  test("when its token is refused", async () => {
    const { start } = await setUp();
    const agent = start({ enrolmentToken: "wrong" });
    expect(await agent.exited).toBe(3);
    expect(agent.log()).toContain("the token is unknown or used up");
  });

  test.each([
    [CLOSE.REVOKED, 4, "the server has revoked this agent"],
    [CLOSE.SUPERSEDED, 5, "another agent with this identity has connected"],
  ])("when the server closes with %i", async (code, exitCode, text) => {
    const { server, start } = await setUp();
    const agent = start();
    await vi.waitFor(() => expect(server.state.sessions).toBe(1), soon);
    server.closeSessions(code);
    expect(await agent.exited).toBe(exitCode);
    expect(agent.log()).toContain(text);
  });

  test("when another agent uses its folder", async () => {
    const { server, start } = await setUp();
    const first = start();
    await vi.waitFor(() => expect(server.state.sessions).toBe(1), soon);
    const second = start();
    expect(await second.exited).toBe(1);
    expect(second.log()).toContain(`another agent (pid ${first.pid}) uses`);
  });

  test("when its folder cannot be made", async () => {
    const { folder, start } = await setUp();
    const agent = start({ dataDir: join(folder, "agent.yaml", "data") });
    expect(await agent.exited).toBe(2);
    expect(agent.log()).toContain("dataDir cannot be made: ENOTDIR");
  });

  test("when its file has a typing mistake", async () => {
    const { folder } = await setUp();
    const path = join(folder, "agent.yaml");
    writeFileSync(path, "sever: http://localhost\n");
    const agent = runAgent(["--check"], { POPPO_AGENT_CONFIG: path });
    expect(await agent.exited).toBe(2);
    expect(agent.log()).toContain('agent.yaml:1: "sever" is not an option; did you mean "server"?');
  });
});

const fillDisk = (path: string) =>
  expect(() => writeFileSync(join(path, "filler"), Buffer.alloc(2 ** 20))).toThrow("ENOSPC");

const lastSegment = (folder: string, epoch = "") =>
  execFileSync("ls", [join(folder, "data/spool", epoch)], { encoding: "utf8" })
    .split("\n")
    .filter((name) => name.endsWith(".seg"))
    .at(-1) ?? "";

const sleepers = (seconds: string) =>
  listProcesses().filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8") === `sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  });
