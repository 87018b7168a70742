import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Outcome, Probe, ProbeContext } from "../contract.js";
import { manifest } from "./config.js";
import { cpu } from "./cpu.js";
import { disk } from "./disk.js";
import { type FileSystem, type Host, hostAt } from "./host.js";
import { plugin } from "./index.js";
import { load } from "./load.js";
import { memory } from "./memory.js";
import { network } from "./network.js";

type Run = (config?: unknown) => Promise<Outcome[]>;

/** Runs a probe again and again with the same memory; `clock` is the agent's monotonic one, the wall clock goes back. */
function runner(probe: Probe | undefined, clock = { now: 0 }, signal = new AbortController().signal): Run {
  let wall = 0;
  const context: ProbeContext = { signal, now: () => wall--, monotonic: () => clock.now++, memory: new Map() };
  return async (config = {}) => [await probe?.run(probe.config.parse(config), context)].flat() as Outcome[];
}

/** A machine whose `/proc` and `/sys` are real files that a test can rewrite. */
async function machine(files: Record<string, string>) {
  const root = await mkdtemp(join(tmpdir(), "poppo-host-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const write = async (changed: Record<string, string>) => {
    for (const [path, text] of Object.entries(changed)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
  };
  await write(files);
  return { host: hostAt(root, "linux"), write };
}

describe("on the machine this test runs on", () => {
  test.each(Object.keys(manifest.probes))("system.%s answers", async (name) => {
    const outcomes = await runner(plugin.probes[name])();
    expect(outcomes.length).toBeGreaterThan(0);
    for (const outcome of outcomes) {
      expect(outcome.summary).not.toMatch(/NaN|undefined|Infinity/);
      for (const [value] of Object.values(outcome.metrics ?? {})) expect(value).toBeGreaterThanOrEqual(0);
      if (process.platform === "linux") expect(["OK", "WARN", "CRIT"]).toContain(outcome.status);
    }
  });

  test("every limit refuses warn at or above crit, and names both", () => {
    for (const { config } of Object.values(manifest.probes))
      expect(config.safeParse({ warn: 7, crit: 7 }).error?.message).toContain("warn (7) must be below crit (7)");
  });
});

describe("system.cpu", () => {
  const stat = (ticks: number[]) => ({
    "/proc/stat": `cpu  ${ticks.join(" ")} 50 0\ncpu0 ${ticks.join(" ")} 50 0\nintr 5\n`,
  });
  // user nice system idle iowait irq softirq steal
  const before = [100, 0, 100, 1000, 10, 0, 0, 0];

  test("judges the share since the last run; iowait is not busy, and guest is not counted twice", async () => {
    const { host, write } = await machine(stat(before));
    const clock = { now: 0 };
    const run = runner(cpu(host), clock);
    expect(await run()).toMatchObject([{ status: "UNKNOWN" }]);
    clock.now = 10_000;
    await write(stat([150, 10, 115, 1010, 20, 3, 2, 0]));
    expect(await run({ perCore: true })).toMatchObject([
      {
        status: "WARN",
        metrics: { used: [80, "%"], user: [60, "%"], iowait: [10, "%"], busiestCore: [80, "%"] },
        evidence: { cores: [80] },
      },
    ]);
  });

  test("counters that were reset are a first run, never a negative share", async () => {
    const { host, write } = await machine(stat(before));
    const run = runner(cpu(host));
    await run();
    await write(stat([5, 0, 5, 10, 0, 0, 0, 0]));
    expect(await run()).toMatchObject([{ status: "UNKNOWN" }]);
    await write(stat([10, 0, 10, 100, 0, 0, 0, 0]));
    expect(await run()).toMatchObject([{ status: "OK" }]);
  });

  test("the first sample stops with the signal", async () => {
    const stop = new AbortController();
    const { host } = await machine(stat(before));
    const read = host.read;
    host.read = async (path) => {
      setImmediate(() => stop.abort());
      return read(path);
    };
    await expect(runner(cpu(host), undefined, stop.signal)()).rejects.toThrow(/abort/i);
  });

  test("a /proc/stat that is none fails, naming what was read", async () => {
    const { host } = await machine({ "/proc/stat": "nonsense" });
    await expect(runner(cpu(host))()).rejects.toThrow('begins with "nonsense"');
  });

  test("without /proc/stat the operating system is asked", async () => {
    const outcomes = await runner(cpu({ ...hostAt(), platform: "darwin" }))();
    expect(outcomes[0]?.status).not.toBe("NOT_APPLICABLE");
  });
});

describe("system.memory", () => {
  const meminfo = (available: number, swapFree = 1000) => ({
    "/proc/meminfo": `MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: ${available} kB\nSwapTotal: 1000 kB\nSwapFree: ${swapFree} kB\nHugePages_Total: 0\n`,
  });

  test.each([
    [160, "OK"],
    [150, "WARN"],
    [50, "CRIT"],
  ])("%i of 1000 available is %s, however little is free", async (available, status) => {
    const { host } = await machine(meminfo(available));
    expect(await runner(memory(host))()).toMatchObject([{ status, metrics: { available: [available * 1024, "B"] } }]);
  });

  test("swap is judged only when it has limits", async () => {
    const { host } = await machine(meminfo(900, 100));
    expect(await runner(memory(host))()).toMatchObject([{ status: "OK", metrics: { swapUsed: [90, "%"] } }]);
    expect(await runner(memory(host))({ swap: {} })).toMatchObject([{ status: "CRIT" }]);
  });

  test("a kernel that does not say what is available is UNKNOWN", async () => {
    const { host } = await machine({ "/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 900 kB\n" });
    expect(await runner(memory(host))()).toMatchObject([{ status: "UNKNOWN" }]);
  });

  test("a container's figures say that they are the whole host's", async () => {
    const bare = await machine(meminfo(900));
    const container = await machine({ ...meminfo(900), "/.dockerenv": "" });
    expect((await runner(memory(bare.host))())[0]?.summary).not.toContain("whole host");
    expect((await runner(memory(container.host))())[0]?.summary).toContain("whole host");
  });

  test("elsewhere than on Linux is NOT_APPLICABLE with the reason", async () => {
    expect(await runner(memory({ ...hostAt(), platform: "darwin" }))()).toMatchObject([
      { status: "NOT_APPLICABLE", summary: expect.stringContaining("darwin") },
    ]);
  });
});

describe("system.load", () => {
  test.each([
    [2.9, "OK"],
    [3, "WARN"],
    [6, "CRIT"],
  ])("%d over five minutes on two cores is %s", async (load5, status) => {
    const host: Host = {
      ...hostAt(),
      platform: "linux",
      loadavg: () => [99, load5, 0],
      cpus: () =>
        hostAt()
          .cpus()
          .slice(0, 1)
          .flatMap((core) => [core, core]),
    };
    expect(await runner(load(host))()).toMatchObject([{ status }]);
  });
});

describe("system.network", () => {
  const line = (name: string, rx: number[], tx: number[]) => `${name}: ${rx.join(" ")} 0 0 0 0 ${tx.join(" ")} 0 0 0 0`;
  const dev = (...lines: string[]) => ({ "/proc/net/dev": `Inter-|   Receive\n face |bytes\n${lines.join("\n")}\n` });
  const idle = (name: string) => line(name, [0, 0, 0, 0], [0, 0, 0, 0]);
  const physical = { "/sys/class/net/eth0/device/uevent": "" };

  test("gives rates per physical interface", async () => {
    const { host, write } = await machine({ ...physical, ...dev(idle("lo"), idle("eth0"), idle("docker0")) });
    const clock = { now: 0 };
    const run = runner(network(host), clock);
    expect(await run()).toMatchObject([{ item: "eth0", status: "OK" }]);
    const seen = clock.now - 1;
    clock.now = seen + 10_000;
    await write(dev(idle("lo"), line("eth0", [10_000, 980, 0, 20], [5000, 1000, 0, 0]), idle("docker0")));
    expect(await run()).toMatchObject([
      {
        item: "eth0",
        status: "WARN",
        metrics: { rx: [1000, "B/s"], tx: [500, "B/s"], rxDrops: [2, "1/s"], bad: [1, "%"] },
      },
    ]);
  });

  test("does not judge a handful of packets", async () => {
    const { host, write } = await machine({ ...physical, ...dev(idle("eth0")) });
    const run = runner(network(host));
    await run();
    await write(dev(line("eth0", [100, 1, 5, 5], [0, 0, 0, 0])));
    expect(await run()).toMatchObject([{ status: "OK" }]);
  });

  test("counters that go back give no negative rate", async () => {
    const { host, write } = await machine({ ...physical, ...dev(line("eth0", [9000, 90, 0, 0], [9000, 90, 0, 0])) });
    const run = runner(network(host));
    await run();
    await write(dev(line("eth0", [10, 1, 0, 0], [10, 1, 0, 0])));
    expect(await run()).toMatchObject([{ status: "OK", metrics: { rx: [0, "B/s"], tx: [0, "B/s"] } }]);
  });

  test("an interface that does not exist is UNKNOWN; the others are measured", async () => {
    const { host } = await machine({ ...physical, ...dev(idle("eth0")) });
    expect(await runner(network(host))({ interfaces: ["eth0", "eth9"] })).toMatchObject([
      { item: "eth0", status: "OK" },
      { item: "eth9", status: "UNKNOWN" },
    ]);
  });

  test("where none is physical, all but lo count", async () => {
    const { host } = await machine(dev(idle("lo"), idle("eth0")));
    expect(await runner(network(host))()).toMatchObject([{ item: "eth0" }]);
  });
});

describe("system.disk", () => {
  const GiB = 1024 ** 3;
  const mounts = (...list: [point: string, type: string, device: string, options?: string][]) => ({
    "/proc/self/mountinfo": list
      .map(
        ([point, type, device, options = "rw"], i) =>
          `${i} 1 ${device} / ${point} ${options},relatime shared:1 - ${type} /dev/x ${options}\n`,
      )
      .join(""),
  });
  const fileSystem = (sizeGiB: number, usedGiB: number, inodes = { files: 1000, ffree: 900 }): FileSystem => ({
    bsize: GiB / 1024,
    blocks: sizeGiB * 1024,
    bfree: (sizeGiB - usedGiB) * 1024,
    bavail: (sizeGiB - usedGiB) * 1024,
    ...inodes,
  });
  const one = async (answer: FileSystem) => ({
    ...(await machine(mounts(["/data", "ext4", "8:1"]))).host,
    statfs: async () => answer,
  });

  test.each([
    ["half full", fileSystem(100, 50), {}, "OK"],
    ["80 % full", fileSystem(100, 80), {}, "WARN"],
    ["90 % full", fileSystem(100, 90), {}, "CRIT"],
    ["out of inodes", fileSystem(100, 10, { files: 1000, ffree: 5 }), {}, "CRIT"],
    ["without inodes (btrfs)", fileSystem(100, 10, { files: 0, ffree: 0 }), {}, "OK"],
    ["with less than 5 GiB free of 50", fileSystem(50, 46), { warn: 97, crit: 98 }, "CRIT"],
    ["small, where 5 GiB would be a quarter", fileSystem(20, 15.5), {}, "OK"],
    ["with nothing available", { ...fileSystem(10, 5), bavail: 0 }, {}, "CRIT"],
    ["of size 0", fileSystem(0, 0), {}, "UNKNOWN"],
  ])("a disk %s: %#", async (_name, answer, config, status) => {
    expect(await runner(disk(await one(answer)))(config)).toMatchObject([{ item: "/data", status }]);
  });

  test("measures every real file system once, and leaves the others out", async () => {
    const { host } = await machine(
      mounts(
        ["/", "overlay", "0:50"],
        ["/proc", "proc", "0:4"],
        ["/run", "tmpfs", "0:22"],
        ["/snap/core/1", "squashfs", "7:0"],
        ["/cdrom", "ext4", "11:0", "ro"],
        ["/home/with\\040space", "ext4", "8:2"],
        ["/srv/bind/of/home", "ext4", "8:2"],
        ["/etc/hosts", "ext4", "8:3"],
        ["/mnt/excluded/a", "xfs", "8:4"],
      ),
    );
    const exclude = ["/etc/hosts", "/mnt/excluded/*"];
    const outcomes = await runner(disk({ ...host, statfs: async () => fileSystem(100, 1) }))({ exclude });
    expect(outcomes.map((outcome) => outcome.item)).toEqual(["/", "/home/with space"]);
  });

  test("a named mount that is not there is UNKNOWN, not the disk below its folder", async () => {
    const { host } = await machine(mounts(["/", "ext4", "8:1"]));
    const run = runner(disk({ ...host, statfs: async () => fileSystem(100, 1) }));
    expect(await run({ mounts: ["/", "/data"] })).toMatchObject([
      { item: "/", status: "OK" },
      { item: "/data", status: "UNKNOWN", summary: "nothing is mounted at /data" },
    ]);
  });

  test("a mount that fails is UNKNOWN with the error's code", async () => {
    const { host } = await machine(mounts(["/gone", "ext4", "8:1"]));
    expect(await runner(disk(host))()).toMatchObject([
      { status: "UNKNOWN", summary: expect.stringContaining("ENOENT") },
    ]);
  });

  test("mounts that hang do not stop the others, and never take more than two threads", async () => {
    const { host } = await machine(
      mounts(["/a", "nfs4", "0:1"], ["/b", "nfs4", "0:2"], ["/c", "nfs4", "0:3"], ["/d", "ext4", "8:1"]),
    );
    const release = new Map<string, (answer: FileSystem) => void>();
    const statfs = vi.fn((path: string) =>
      path === "/d"
        ? Promise.resolve(fileSystem(100, 1))
        : new Promise<FileSystem>((resolve) => release.set(path, resolve)),
    );
    const run = runner(disk({ ...host, statfs }));
    const hanging = [
      { item: "/d", status: "OK" },
      { item: "/a", status: "UNKNOWN" },
      { item: "/b", status: "UNKNOWN" },
      { item: "/c", status: "UNKNOWN", summary: expect.stringContaining("was not asked") },
    ];
    expect(await run({ mountTimeoutMs: 10 })).toMatchObject(hanging);
    expect(await run({ mountTimeoutMs: 10 })).toMatchObject([
      hanging[0],
      hanging[1],
      hanging[2],
      { item: "/c", status: "UNKNOWN" },
    ]);
    expect(statfs.mock.calls.flat().filter((path) => path !== "/d")).toEqual(["/a", "/b"]);
    release.get("/a")?.(fileSystem(100, 1));
    await vi.waitFor(async () => {
      statfs.mockImplementation(async () => fileSystem(100, 1));
      expect(await run({ mountTimeoutMs: 10 })).toMatchObject([
        {},
        { item: "/a", status: "OK" },
        { item: "/b", status: "UNKNOWN" },
        { item: "/c", status: "OK" },
      ]);
    });
  });

  test("a hanging mount ends with the signal", async () => {
    const { host } = await machine(mounts(["/a", "nfs4", "0:1"]));
    const stop = new AbortController();
    const statfs = () => {
      setImmediate(() => stop.abort());
      return new Promise<FileSystem>(() => {});
    };
    await expect(runner(disk({ ...host, statfs }), undefined, stop.signal)()).rejects.toThrow(/abort/i);
  });

  test("growth that fills the disk within four hours is CRIT, after a sixth of the window", async () => {
    let used = 50;
    const host = { ...(await one(fileSystem(100, 0))), statfs: async () => fileSystem(100, used) };
    const clock = { now: 0 };
    const run = runner(disk(host), clock);
    const minutes = async (count: number, perMinute: number) => {
      let outcome: Outcome | undefined;
      for (let i = 0; i < count; i++) {
        [outcome] = await run();
        clock.now += 60_000;
        used += perMinute;
      }
      return outcome;
    };
    expect(await minutes(10, 0.25)).toMatchObject({ status: "OK" });
    expect(await minutes(2, 0.25)).toMatchObject({
      status: "CRIT",
      summary: expect.stringMatching(/full in 3\.\d h/),
      metrics: { hoursToFull: [expect.closeTo(3.1, 0), "h"] },
    });
    expect(await minutes(70, 0)).toMatchObject({ status: "OK" });
    expect((await run())[0]?.metrics).not.toHaveProperty("hoursToFull");
  });

  test("elsewhere than on Linux, mounts must be named", async () => {
    const host: Host = { ...hostAt(), platform: "darwin" };
    expect(await runner(disk(host))()).toMatchObject([{ status: "NOT_APPLICABLE" }]);
    expect((await runner(disk(host))({ mounts: ["/"] }))[0]?.status).not.toBe("UNKNOWN");
  });
});
