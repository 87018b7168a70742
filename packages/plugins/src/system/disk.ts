import { defineProbe, notApplicable, type Outcome, type ProbeContext, unknown } from "../contract.js";
import { gradeRising, worst } from "../ladder.js";
import type { Metrics } from "../wire.js";
import { bytes } from "./bytes.js";
import { type DiskConfig, manifest } from "./config.js";
import type { FileSystem, Host } from "./host.js";
import { MountReader } from "./mount-reader.js";
import { parseMountinfo, selectMounts } from "./mounts.js";
import { hoursToFull, type Point, remember } from "./trend.js";

const MEMORY_KEY = "trends";
const MAX_SHARE_OF_FLOOR = 0.1;
/** Beyond this a forecast says "not growing". */
const MAX_HOURS = 10_000;

export function disk(host: Host) {
  const reader = new MountReader(host);
  return defineProbe(manifest.probes.disk, async (config, context): Promise<Outcome | Outcome[]> => {
    const mounted = host.platform === "linux" ? parseMountinfo(await host.read("/proc/self/mountinfo")) : undefined;
    if (!mounted && !config.mounts)
      return notApplicable(`${host.platform} has no /proc/self/mountinfo to list mounts from; name them in "mounts"`);

    const points = config.mounts ?? selectMounts(mounted ?? [], config).map((mount) => mount.point);
    if (points.length === 0)
      return notApplicable('no writable mount of a real file system is left; name mount points in "mounts"');

    const trends = new Trends(context, points);
    const measure = async (item: string): Promise<Outcome> => {
      const mount = mounted ? mounted.find((mount) => mount.point === item) : { point: item, isRemote: false };
      // A disk that is not mounted must not be mistaken for the healthy one its mount point is a folder of.
      if (!mount) return unknown(`nothing is mounted at ${item}`, undefined, { item });
      const reading = await reader.read(mount, config.mountTimeoutMs, context.signal);
      if ("problem" in reading) return unknown(`${item} ${reading.problem}`, undefined, { item });
      return judge(item, reading.fileSystem, trends, config);
    };
    const outcomes: Outcome[] = [];
    for (const point of points) outcomes.push(await measure(point));
    return outcomes;
  });
}

function judge(item: string, fileSystem: FileSystem, trends: Trends, config: DiskConfig): Outcome {
  const { bsize, blocks, bfree, bavail, files, ffree } = fileSystem;
  if (blocks === 0)
    return unknown(`${item} reports a size of 0; it is no file system that can fill up`, undefined, { item });

  const used = (blocks - bfree) * bsize;
  const available = bavail * bsize;
  const usedPercent = used + available > 0 ? (100 * used) / (used + available) : 100;
  // btrfs and some network file systems have no fixed number of inodes and report 0.
  const inodesPercent = files > 0 ? (100 * (files - ffree)) / files : undefined;
  const hours = trends.hoursToFull(item, used, available, config.trendWindowMs);
  const floor = Math.min(config.minFreeBytes, blocks * bsize * MAX_SHARE_OF_FLOOR);

  const reasons = [
    { grade: gradeRising(usedPercent, config), text: `${usedPercent.toFixed(1)} % used` },
    { grade: gradeRising(inodesPercent ?? 0, config), text: `${inodesPercent?.toFixed(1)} % of inodes used` },
    { grade: critIf(available < floor), text: `below ${bytes(floor)} free` },
    {
      grade: critIf(hours !== undefined && hours < config.minHoursToFull),
      text: `full in ${hours?.toFixed(1)} h at the present growth`,
    },
  ];
  const bad = reasons.filter((reason) => reason.grade !== "OK").map((reason) => reason.text);
  const what = bad.length > 0 ? bad.join(", ") : `${usedPercent.toFixed(1)} % used`;
  return {
    item,
    status: worst(...reasons.map((reason) => reason.grade)),
    summary: `${item} ${what}, ${bytes(available)} of ${bytes(blocks * bsize)} free; warn ${config.warn} %, crit ${config.crit} %`,
    metrics: metrics({ usedPercent, inodesPercent, available, size: blocks * bsize, hours }),
  };
}

const critIf = (isBad: boolean): "CRIT" | "OK" => (isBad ? "CRIT" : "OK");

function metrics(m: {
  usedPercent: number;
  inodesPercent?: number;
  available: number;
  size: number;
  hours?: number;
}): Metrics {
  return {
    used: [Math.round(m.usedPercent * 10) / 10, "%"],
    ...(m.inodesPercent !== undefined && { inodes: [Math.round(m.inodesPercent * 10) / 10, "%"] as const }),
    free: [m.available, "B"],
    size: [m.size, "B"],
    ...(m.hours !== undefined && m.hours < MAX_HOURS && { hoursToFull: [Math.round(m.hours * 10) / 10, "h"] as const }),
  };
}

/** What the probe remembers of each mount between runs; forgets the mounts that are no longer asked for. */
class Trends {
  readonly #points: Record<string, Point[]>;
  readonly #context: ProbeContext;

  constructor(context: ProbeContext, mounts: readonly string[]) {
    const past = (context.memory.get(MEMORY_KEY) ?? {}) as Record<string, Point[]>;
    this.#points = Object.fromEntries(mounts.map((mount) => [mount, past[mount] ?? []]));
    this.#context = context;
    context.memory.set(MEMORY_KEY, this.#points);
  }

  hoursToFull(mount: string, used: number, available: number, windowMs: number): number | undefined {
    const now: Point = [this.#context.monotonic(), used];
    const points = remember(this.#points[mount] ?? [], now, windowMs);
    this.#points[mount] = points;
    return hoursToFull(points, now, available, windowMs);
  }
}
