import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Outcome } from "../contract.js";
import { runProbe, testContext } from "../testing/context.js";
import { plugin } from "./index.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "poppo-exec-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function nagios(argv: string[], config: object = {}, signal?: AbortSignal): Promise<Outcome> {
  const [outcome] = await runProbe(plugin, "nagios", { argv, ...config }, testContext({ signal }));
  return outcome as Outcome;
}
const sh = (script: string, config?: object, signal?: AbortSignal) => nagios(["/bin/sh", "-c", script], config, signal);

/** A zombie counts as gone: whether somebody reaps it is not for this to say. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

const pidsIn = async (file: string, count: number): Promise<number[]> => {
  await vi.waitFor(async () => {
    const lines = (await readFile(file, "utf8")).trim().split("\n");
    if (lines.length < count || lines.some((line) => line === "")) throw new Error("not all have started");
  }, 10_000);
  return (await readFile(file, "utf8")).trim().split("\n").map(Number);
};

describe("exit codes", () => {
  test.each([
    [0, "OK"],
    [1, "WARN"],
    [2, "CRIT"],
    [3, "UNKNOWN"],
    [126, "UNKNOWN"],
    [127, "UNKNOWN"],
    [255, "UNKNOWN"],
  ])("%i is %s, and the raw code is kept", async (code, status) => {
    const outcome = await sh(`echo said; exit ${code}`);
    expect(outcome).toMatchObject({ status, evidence: { exitCode: code } });
    expect(outcome.summary).toContain("said");
  });

  test("a program that is not there or not executable is UNKNOWN, with the reason", async () => {
    expect(await nagios(["/nowhere/check_x"])).toMatchObject({ status: "UNKNOWN", evidence: { exitCode: null } });
    expect((await nagios(["/etc/passwd"])).summary).toMatch(/could not start: .*EACCES/);
    expect((await sh("exit 0", { cwd: "/nowhere" })).status).toBe("UNKNOWN");
  });

  test("a program that dies of a signal is UNKNOWN", async () => {
    const outcome = await sh("echo 'OK | x=1'; kill -SEGV $$");
    expect(outcome).toMatchObject({ status: "UNKNOWN", evidence: { exitCode: null, signal: "SIGSEGV" } });
    expect(outcome.metrics).toBeUndefined();
  });

  test("a program that says nothing is named", async () => {
    expect((await sh("exit 2")).summary).toBe("/bin/sh said nothing and exited with 2");
  });
});

describe("output", () => {
  test("becomes summary, metrics and evidence", async () => {
    const outcome = await sh("echo \"OK - fine | 'a b'=1.5ms;2;3 n=4 u=U\"; echo more; exit 0");
    expect(outcome).toMatchObject({ status: "OK", summary: "OK - fine", evidence: { longText: "more" } });
    expect(outcome.metrics).toEqual({ "a b": [1.5, "ms"], n: [4, "1"] });
  });

  test("that is a usage text gives no metric, even with exit 0", async () => {
    expect((await sh("echo 'Usage: x -w <warn> | --crit=5'; exit 0")).metrics).toBeUndefined();
  });

  test("has its secrets taken out, wherever they stand", async () => {
    const outcome = await sh("echo 'CRIT password=hunter2'; echo 'token: hunter2'; echo 'api_key=hunter2' >&2; exit 2");
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
  });

  test("beyond the limit is cut, and the exit code still counts", async () => {
    const outcome = await sh("head -c 5000 /dev/zero | tr '\\0' x; exit 2", { maxOutputBytes: 1024 });
    expect(outcome).toMatchObject({ status: "CRIT", evidence: { truncated: true } });
    expect(outcome.summary.length).toBeLessThanOrEqual(500);
  });

  test.each([
    ["OK ", "|a=1 queue=9", { a: [1, "1"] }],
    ["OK ", "|queue=9", undefined],
    ["OK_", "|queue=9", undefined],
    ["OK ", "|queue=9 ", { queue: [9, "1"] }],
    ["OK ", "|'my queue'=9", undefined],
  ])("beyond the limit gives no metric of a number cut in two: %s…%s", async (start, end, metrics) => {
    const kept = `${start}${"x".repeat(1024 - start.length - end.length)}${end}`;
    const outcome = await nagios(["/bin/echo", `${kept}50;100;200`], { maxOutputBytes: 1024 });
    expect(outcome.metrics).toEqual(metrics);
    expect(outcome.summary).toMatch(/^OK/);
  });

  test("without end stops the program", async () => {
    const outcome = await sh("yes", { maxOutputBytes: 1024 });
    expect(outcome.status).toBe("UNKNOWN");
    expect(outcome.summary).toMatch(/wrote more than 16 × 1024 bytes/);
  });

  test("of any bytes is kept as text without NUL", async () => {
    const outcome = await sh("printf 'a\\000b\\377c'; exit 1");
    expect(outcome.summary).toBe("ab\ufffdc");
  });
});

describe("thresholds", () => {
  const load = (value: string, thresholds: object, code = 0) =>
    sh(`echo "fine | load=${value}"; exit ${code}`, { thresholds });
  test.each([
    ["5", 0, "OK"],
    ["11", 0, "WARN"],
    ["21", 0, "CRIT"],
    ["11", 2, "CRIT"],
    ["5", 1, "WARN"],
    ["U", 0, "UNKNOWN"],
  ])("a load of %s from a program that exits with %i is %s", async (value, code, status) => {
    expect((await load(value, { load: { warn: "10", crit: "20" } }, code)).status).toBe(status);
  });

  test("on a label that was not reported are UNKNOWN, and say so", async () => {
    const outcome = await load("1", { other: { crit: "5" } });
    expect(outcome).toMatchObject({ status: "UNKNOWN", summary: "fine; other was not reported" });
  });

  test("that are no range are refused before anything runs", () => {
    expect(plugin.probes.nagios?.config.safeParse({ argv: ["x"], thresholds: { a: { warn: "20:10" } } }).success).toBe(
      false,
    );
  });
});

describe("processes", () => {
  test("get no environment of the agent but PATH, and LC_ALL=C", async () => {
    process.env.POPPO_TEST_SECRET = "leak";
    const outcome = await sh('echo "[$POPPO_TEST_SECRET] [$LC_ALL] [$MINE]"', { env: { MINE: "yes" } });
    delete process.env.POPPO_TEST_SECRET;
    expect(outcome.summary).toBe("[] [C] [yes]");
  });

  test("that hang are stopped with all their children, also those that ignore TERM", async () => {
    const file = join(folder, "hang");
    const controller = new AbortController();
    const script = `trap '' TERM; echo $$ > ${file}; (trap '' TERM; sh -c 'echo $$' >> ${file}; while :; do sleep 1000; done) & wait; while :; do sleep 1000; done`;
    const running = sh(script, {}, controller.signal);
    const caught = running.catch((error: unknown) => error);
    const pids = await pidsIn(file, 2);
    controller.abort(new Error("timed out"));
    expect(await caught).toMatchObject({ message: "timed out" });
    await vi.waitFor(() => expect(pids.map(isGone)).toEqual([true, true]));
  });

  test("that leave a child behind do not make the probe wait for it, and the child is ended", async () => {
    const file = join(folder, "left");
    const outcome = await sh(`sleep 1000 & echo $! > ${file}; echo done; exit 1`);
    expect(outcome).toMatchObject({ status: "WARN", summary: "done" });
    const [child = 0] = await pidsIn(file, 1);
    await vi.waitFor(() => expect(isGone(child)).toBe(true));
  });

  test("whose child fled into its own session with our pipe do not make the probe wait either", async () => {
    const file = join(folder, "fled");
    const outcome = await sh(`setsid sleep 1000 & echo $! > ${file}; echo done`);
    expect(outcome).toMatchObject({ status: "OK", summary: "done" });
    const [child = 0] = await pidsIn(file, 1);
    process.kill(child, "SIGKILL");
  });

  test("are not started when the probe was aborted before", async () => {
    await expect(sh("exit 0", {}, AbortSignal.abort(new Error("stopping")))).rejects.toThrow("stopping");
  });

  test("are run without a shell", async () => {
    expect((await nagios(["/bin/echo", "$HOME; echo x"])).summary).toBe("$HOME; echo x");
  });
});

const CHECK_LOAD = "/usr/lib/nagios/plugins/check_load";
const CHECK_DUMMY = "/usr/lib/nagios/plugins/check_dummy";
const isInstalled = existsSync(CHECK_LOAD) && existsSync(CHECK_DUMMY);
if (!isInstalled && process.env.CI) throw new Error(`CI must have ${CHECK_LOAD} (package monitoring-plugins-basic)`);
if (!isInstalled) console.warn(`no tests of real plugins: ${CHECK_LOAD} is not installed`);

describe.skipIf(!isInstalled)("real plugins", () => {
  test("check_load reports three loads", async () => {
    const outcome = await nagios([CHECK_LOAD, "-w", "999,999,999", "-c", "999,999,999"]);
    expect(outcome.status).toBe("OK");
    expect(Object.keys(outcome.metrics ?? {})).toEqual(expect.arrayContaining(["load1", "load5", "load15"]));
  });

  test("check_dummy ends as it is told", async () => {
    expect((await nagios([CHECK_DUMMY, "2", "broken"])).status).toBe("CRIT");
  });

  test("a usage error gives no metric", async () => {
    const outcome = await nagios([CHECK_LOAD, "--nonsense"]);
    expect(outcome.status).toBe("UNKNOWN");
    expect(outcome.metrics).toBeUndefined();
  });
});
