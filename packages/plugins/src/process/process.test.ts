import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Outcome } from "../contract.js";
import { act, runProbe, testContext } from "../testing/context.js";
import { refusal } from "./guard.js";
import { plugin } from "./index.js";
import { listeningInodes } from "./listeners.js";
import { isAlive, parseStat, readProcess } from "./proc.js";

let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "poppo-process-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** A process of a unique name that sleeps, in a session of its own. */
async function sleeper(name: string, args: string[] = []): Promise<number> {
  await symlink(process.execPath, join(folder, name)).catch(() => undefined);
  const child = spawn(join(folder, name), ["-e", "setInterval(() => {}, 1e6)", "--", ...args], {
    stdio: "ignore",
    detached: true,
  });
  children.push(child);
  await once(child, "spawn");
  const pid = child.pid as number;
  await vi.waitFor(async () => expect((await readProcess(pid))?.argv[0]).toContain(name));
  return pid;
}

/** Of this run alone: what a run that was killed has left behind is not counted. At most 15 characters, as the kernel keeps. */
const named = (name: string): string => `p${process.pid}-${name}`;

const alive = async (config: object, context = testContext()): Promise<Outcome> =>
  (await runProbe(plugin, "alive", config, context))[0] as Outcome;

const file = (name: string) => join(folder, name);
const isRunning = async (pid: number) => {
  const process = await readProcess(pid);
  return process !== undefined && isAlive(process);
};
/** A pid nobody has: of a process that has ended and was reaped. */
async function freePid(): Promise<number> {
  const child = spawn("/bin/true");
  await once(child, "exit");
  return child.pid as number;
}
const killLater = (pid: number) =>
  onTestFinished(() => {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  });

/** Both after a reuse of the pid and after a step of the clock the process looks younger than its file. */
async function writtenBefore(pid: number): Promise<void> {
  await writeFile(file("pid"), `${pid}`);
  await utimes(file("pid"), 1_600_000_000, 1_600_000_000);
}

describe("process.alive by name", () => {
  test("counts the processes of exactly that name and says what they use", async () => {
    const context = testContext();
    const pid = await sleeper(named("t1"), ["--password=hunter2"]);
    await sleeper(named("t1x"));
    const outcome = await alive({ name: named("t1") }, context);
    expect(outcome).toMatchObject({ status: "OK", evidence: { pid, pids: [pid] } });
    expect(outcome.metrics).toMatchObject({
      count: [1, "1"],
      rss: [expect.any(Number), "B"],
      fds: [expect.any(Number), "1"],
    });
    expect(outcome.metrics).not.toHaveProperty("cpu");
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
    // Whatever the wall clock does.
    context.now = () => 0;
    expect((await alive({ name: named("t1") }, context)).metrics).toHaveProperty("cpu");
  });

  test("is CRIT when none or too few run, WARN when too many", async () => {
    expect((await alive({ name: named("t2") })).status).toBe("CRIT");
    await sleeper(named("t2"));
    expect((await alive({ name: named("t2"), min: 2 })).status).toBe("CRIT");
    await sleeper(named("t2"), ["second"]);
    expect((await alive({ name: named("t2"), min: 2 })).status).toBe("OK");
    expect((await alive({ name: named("t2"), max: 1 })).status).toBe("WARN");
  });

  test("and command line tells two of a name apart", async () => {
    const pid = await sleeper(named("t3"), ["/srv/shop/main.js"]);
    await sleeper(named("t3"), ["/srv/blog/main.js"]);
    expect(await alive({ name: named("t3"), cmdline: "*shop*" })).toMatchObject({
      status: "OK",
      evidence: { pids: [pid] },
    });
    expect((await alive({ name: named("t3"), cmdline: "*wiki*" })).status).toBe("CRIT");
  });

  test("of a zombie is CRIT", async () => {
    // The shell becomes a sleep that never reaps the child it had.
    const script = "cp /bin/true ./poppo-zombie; ./poppo-zombie & exec sleep 1000";
    const parent = spawn("/bin/sh", ["-c", script], { cwd: folder, stdio: "ignore" });
    children.push(parent);
    await vi.waitFor(async () => {
      const outcome = await alive({ name: "poppo-zombie" });
      expect(outcome.summary).toContain("is a zombie");
      expect(outcome.status).toBe("CRIT");
    }, 10_000);
  });
});

describe("process.alive by pid file", () => {
  test("is OK while the process runs and CRIT once it has ended", async () => {
    const pid = await sleeper("poppo-t4");
    await writeFile(file("pid"), `${pid}\n`);
    expect((await alive({ pidFile: file("pid") })).status).toBe("OK");
    process.kill(pid, "SIGKILL");
    await vi.waitFor(async () => {
      const outcome = await alive({ pidFile: file("pid") });
      expect(outcome).toMatchObject({ status: "CRIT", evidence: { pid, stale: true } });
      expect(outcome.summary).toContain(`process ${pid} is not alive`);
    });
  });

  test("that is older than its process is UNKNOWN: the pid was reused, or the clock was set", async () => {
    await writtenBefore(await sleeper("poppo-t5"));
    const outcome = await alive({ pidFile: file("pid") });
    expect(outcome.status).toBe("UNKNOWN");
    expect(outcome.summary).toMatch(/older than its process \d+, poppo-t5: .* give cmdline/);
  });

  test("that is older than its process is judged by the command line", async () => {
    await writtenBefore(await sleeper("poppo-t5"));
    expect((await alive({ pidFile: file("pid"), cmdline: "*poppo-t5*" })).status).toBe("OK");
    const outcome = await alive({ pidFile: file("pid"), cmdline: "*nginx*" });
    expect(outcome.status).toBe("CRIT");
    expect(outcome.summary).toContain("the command line does not match *nginx*");
  });

  test("is CRIT when the pid belongs to another command line", async () => {
    await writeFile(file("pid"), `${await sleeper("poppo-t6")}`);
    expect((await alive({ pidFile: file("pid"), cmdline: "*nginx*" })).status).toBe("CRIT");
  });

  test("that is missing is CRIT; one that holds no pid is UNKNOWN", async () => {
    expect((await alive({ pidFile: file("none") })).status).toBe("CRIT");
    for (const content of ["", "abc", "-1", "0", "12 34", "99999999999999999999", "\0".repeat(50)]) {
      await writeFile(file("pid"), content);
      expect((await alive({ pidFile: file("pid") })).status, JSON.stringify(content)).toBe("UNKNOWN");
    }
  });
});

describe("process.alive by port", () => {
  test("finds the listener, and only a listener, of exactly that port", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    expect(await alive({ port })).toMatchObject({ status: "OK", evidence: { pid: process.pid } });
    server.close();
    await once(server, "close");
    expect(await alive({ port })).toMatchObject({ status: "CRIT", summary: `nothing listens on TCP port ${port}` });
  });

  test("on IPv6 is found too", async () => {
    const server = createServer().listen(0, "::1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    expect((await alive({ port: (server.address() as { port: number }).port })).status).toBe("OK");
  });

  test("reads of the kernel's table only rows that listen on the port", () => {
    const table = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0",
      "   1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0",
      "   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0",
      "   3: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 444 1 0",
    ].join("\n");
    expect(listeningInodes(table, 8080)).toEqual(["111", "444"]);
  });
});

test("exactly one way to find the process must be given", () => {
  const { config } = plugin.probes.alive ?? {};
  expect(config?.safeParse({}).success).toBe(false);
  expect(config?.safeParse({ name: "a", port: 80 }).success).toBe(false);
});

test("a name with parentheses and spaces does not confuse the reader of stat", () => {
  const fields = Array.from({ length: 50 }, (_, i) => i + 4).join(" ");
  expect(parseStat(`42 (a) S (b) c) Z 1 ${fields}`)).toMatchObject({
    pid: 42,
    comm: "a) S (b) c",
    state: "Z",
    ppid: 1,
  });
});

describe("process.restart", () => {
  /** A daemon in one line of shell: writes its pid and waits. */
  const daemon = (name: string): [string, ...string[]] => [
    "/bin/sh",
    "-c",
    `echo $$ > ${file("pid")}; exec ${file(name)} -e 'console.log("hello"); setInterval(() => {}, 1e6)'`,
  ];

  test("previews the pid, the command line and the command, and touches nothing", async () => {
    const pid = await sleeper(named("t7"));
    const preview = await act(plugin, "restart", { name: named("t7"), command: ["/bin/true", "--token=x"] }).preview();
    expect(preview).toMatchObject({ possible: true, refusals: [] });
    expect(JSON.stringify(preview)).toMatch(
      new RegExp(`stop ${named("t7")} \\(pid ${pid}\\).*TERM, KILL after 10 s.*start in its own session: /bin/true`),
    );
    expect(await isRunning(pid)).toBe(true);
  });

  test("stops the old process and starts a new one in a session of its own, its output in a log", async () => {
    const old = await sleeper(named("t8"));
    await writeFile(file("pid"), `${old}`);
    const context = testContext();
    const { summary } = await act(plugin, "restart", {
      pidFile: file("pid"),
      command: daemon(named("t8")),
      logFile: file("log"),
    }).run(context);
    const fresh = Number(/as pid (\d+)/.exec(summary)?.[1]);
    killLater(fresh);
    expect(await isRunning(old)).toBe(false);
    expect(context.lines.join("")).toContain(`SIGTERM to ${named("t8")} (pid ${old})`);
    await vi.waitFor(async () => expect((await alive({ pidFile: file("pid") })).status).toBe("OK"));
    await vi.waitFor(async () => expect(await readFile(file("log"), "utf8")).toContain("hello"));
    expect((await readProcess(fresh))?.group).toBe(fresh);
  });

  test("kills what ignores TERM", async () => {
    await symlink(process.execPath, file(named("t9")));
    const code =
      "process.on('SIGTERM', () => {}); require('fs').writeFileSync(process.argv[1], '1'); setInterval(() => {}, 1e6)";
    const child = spawn(file(named("t9")), ["-e", code, file("ready")], { stdio: "ignore", detached: true });
    children.push(child);
    await vi.waitFor(async () => expect(await readFile(file("ready"), "utf8")).toBe("1"), 10_000);
    const context = testContext();
    await act(plugin, "restart", { name: named("t9"), command: ["/bin/true"], graceMs: 200 }).run(context);
    expect(context.lines.join("")).toContain(`SIGKILL to ${named("t9")}`);
    expect(await isRunning(child.pid as number)).toBe(false);
  });

  test("gives the grace in full, whatever the wall clock does", async () => {
    await symlink(process.execPath, file(named("t13")));
    const code =
      "process.on('SIGTERM', () => setTimeout(() => process.exit(), 300)); require('fs').writeFileSync(process.argv[1], '1'); setInterval(() => {}, 1e6)";
    const child = spawn(file(named("t13")), ["-e", code, file("ready")], { stdio: "ignore", detached: true });
    children.push(child);
    await vi.waitFor(async () => expect(await readFile(file("ready"), "utf8")).toBe("1"), 10_000);
    const context = testContext();
    let wall = 0;
    context.now = () => {
      wall += 3_600_000;
      return wall;
    };
    await act(plugin, "restart", { name: named("t13"), command: ["/bin/true"] }).run(context);
    expect(context.lines.join("")).not.toContain("SIGKILL");
  });

  test("starts what does not run at all, and writes its pid file if asked", async () => {
    const { summary } = await act(plugin, "restart", {
      pidFile: file("new.pid"),
      writePidFile: true,
      command: ["/bin/sleep", "1000"],
    }).run();
    const pid = Number((await readFile(file("new.pid"), "utf8")).trim());
    killLater(pid);
    expect(summary).toContain(`pid ${pid}`);
    expect((await alive({ pidFile: file("new.pid") })).status).toBe("OK");
  });

  test("does not touch the new owner of a reused pid, and starts beside it only what the command line proves is gone", async () => {
    const innocent = await sleeper("poppo-t10");
    await writtenBefore(innocent);
    const input = { pidFile: file("pid"), command: ["/bin/touch", file("started")], mode: "command" };
    await expect(act(plugin, "restart", input).run()).rejects.toThrow("refused: pid file");
    await expect(readFile(file("started"))).rejects.toThrow("ENOENT");
    await act(plugin, "restart", { ...input, cmdline: "*nginx*" }).run();
    expect(await readFile(file("started"), "utf8")).toBe("");
    expect(await isRunning(innocent)).toBe(true);
  });

  test("says of a daemon that ends at once that it did", async () => {
    const { summary } = await act(plugin, "restart", { command: ["/bin/sh", "-c", "exit 7"] }).run();
    expect(summary).toContain("it exited with 7 at once");
  });

  test("gives a daemon its own environment, not the agent's", async () => {
    process.env.POPPO_TEST_SECRET = "leak";
    const command = ["/bin/sh", "-c", 'echo "[$POPPO_TEST_SECRET] [$MINE]"'];
    await act(plugin, "restart", { command, env: { MINE: "yes" }, logFile: file("log") }).run();
    delete process.env.POPPO_TEST_SECRET;
    expect(await readFile(file("log"), "utf8")).toBe("[] [yes]\n");
  });

  test("asks it to stop in the folder and the environment that start it", async () => {
    const old = await sleeper(named("t14"));
    const stop = ["/bin/sh", "-c", `echo "$PWD [$MINE]" > ${file("stop")}; kill ${old}`];
    const input = { name: named("t14"), command: ["/bin/true"], stop, cwd: folder, env: { MINE: "yes" } };
    await act(plugin, "restart", input).run();
    expect(await readFile(file("stop"), "utf8")).toBe(`${folder} [yes]\n`);
  });

  test("fails when the command is not there, or ends badly in mode command", async () => {
    await expect(act(plugin, "restart", { command: ["/nowhere/x"] }).run()).rejects.toThrow("ENOENT");
    const input = { command: ["/bin/sh", "-c", "exit 3"], mode: "command" };
    await expect(act(plugin, "restart", input).run()).rejects.toThrow("exited with 3");
  });

  test("starts nothing when its pid file cannot be opened", async () => {
    const input = { pidFile: file("none/pid"), writePidFile: true, command: ["/nowhere/x"] };
    await expect(act(plugin, "restart", input).run()).rejects.toThrow(`open '${file("none/pid")}'`);
  });

  test("refuses a pid file that is a symbolic link before it stops anything", async () => {
    const pid = await sleeper(named("t13"));
    await writeFile(file("elsewhere"), `${pid}`);
    await symlink(file("elsewhere"), file("pid"));
    const restart = act(plugin, "restart", { pidFile: file("pid"), writePidFile: true, command: ["/bin/true"] });
    expect(await restart.preview()).toMatchObject({ refusals: [expect.stringContaining("ELOOP")] });
    await expect(restart.run()).rejects.toThrow("cannot be written: ELOOP");
    expect(await isRunning(pid)).toBe(true);
    expect(await readFile(file("elsewhere"), "utf8")).toBe(`${pid}`);
  });

  test("leaves the pid file as it was when the daemon cannot be started", async () => {
    const input = { pidFile: file("pid"), writePidFile: true, command: ["/nowhere/x"] };
    await expect(act(plugin, "restart", input).run()).rejects.toThrow("/nowhere/x");
    await expect(readFile(file("pid"))).rejects.toThrow("ENOENT");
    await writeFile(file("pid"), `${await freePid()}`);
    await expect(act(plugin, "restart", input).run()).rejects.toThrow("/nowhere/x");
    expect(await readFile(file("pid"), "utf8")).toMatch(/^\d+$/);
  });

  test("refuses to append to a log that is a symbolic link", async () => {
    await symlink("/etc/passwd", file("log"));
    const input = { command: ["/bin/true"], logFile: file("log") };
    await expect(act(plugin, "restart", input).run()).rejects.toThrow("ELOOP");
  });

  test("that is cancelled while it waits starts nothing", async () => {
    await symlink(process.execPath, file("poppo-t11"));
    const code =
      "process.on('SIGTERM', () => {}); require('fs').writeFileSync(process.argv[1], '1'); setInterval(() => {}, 1e6)";
    const child = spawn(file("poppo-t11"), ["-e", code, file("ready")], { stdio: "ignore", detached: true });
    children.push(child);
    await vi.waitFor(async () => expect(await readFile(file("ready"), "utf8")).toBe("1"), 10_000);
    const controller = new AbortController();
    const context = testContext({ signal: controller.signal });
    context.output = () => controller.abort(new Error("cancelled"));
    const input = { name: "poppo-t11", command: ["/bin/touch", file("started")] };
    await expect(act(plugin, "restart", input).run(context)).rejects.toThrow();
    await expect(readFile(file("started"))).rejects.toThrow("ENOENT");
  });
});

describe("process.restart refuses to stop", () => {
  const of = (change: object) => ({
    pid: 4_000_000,
    comm: "x",
    state: "S",
    ppid: 1,
    group: 4_000_000,
    cpuTicks: 0,
    startTicks: 1,
    argv: ["x"],
    ...change,
  });
  test.each([
    ["the first process", { pid: 1 }, /first process/],
    ["a kernel thread", { ppid: 2 }, /kernel thread/],
    ["dockerd", { comm: "dockerd" }, /carries other services/],
    ["containerd", { argv: ["/usr/bin/containerd"] }, /carries other services/],
    ["a container's shim", { comm: "containerd-shim" }, /carries other services/],
    ["docker-proxy", { comm: "docker-proxy" }, /carries other services/],
    ["the agent", { pid: process.pid }, /the agent itself/],
    ["the agent's parent", { pid: process.ppid }, /one it stands on/],
  ])("%s", async (_, change, reason) => {
    expect(await refusal(of(change))).toMatch(reason);
  });

  test("itself, when a port leads there, in preview and in run", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const restart = act(plugin, "restart", {
      port: (server.address() as { port: number }).port,
      command: ["/bin/true"],
    });
    expect(await restart.preview()).toMatchObject({ refusals: [expect.stringContaining("the agent itself")] });
    await expect(restart.run()).rejects.toThrow("refused: ");
  });

  test("nothing about an ordinary process", async () => {
    const found = await readProcess(await sleeper("poppo-t12"));
    expect(found && (await refusal(found))).toBeUndefined();
  });
});

test("a process that has ended is not alive, and a reused pid is not the same process", async () => {
  expect(await readProcess(await freePid())).toBeUndefined();
  const found = await readProcess(process.pid);
  expect(found && (await isAlive(found))).toBe(true);
  expect(found && (await isAlive({ ...found, startTicks: found.startTicks + 1 }))).toBe(false);
});
