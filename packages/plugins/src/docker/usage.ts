import type { Metrics } from "../wire.js";
import type { Inspected, Stats } from "./engine.js";

/** Counters of one run of a container; plain JSON, kept between two runs of the probe. */
export interface UsageSample {
  startedAt: string;
  /** What all cores of the host together have passed, busy or idle: a clock that nobody sets. */
  systemNs: number;
  cpuNs: number;
  rx: number;
  tx: number;
}

export interface Usage {
  metrics: Metrics;
  cpuPercent?: number;
  memoryPercent?: number;
  /** Why nothing could be measured. */
  failure?: string;
}

export function sampleOf(stats: Stats, startedAt: string): UsageSample {
  const networks = Object.values(stats.networks ?? {});
  return {
    startedAt,
    systemNs: stats.cpu_stats.system_cpu_usage ?? 0,
    cpuNs: stats.cpu_stats.cpu_usage.total_usage,
    rx: networks.reduce((sum, { rx_bytes }) => sum + rx_bytes, 0),
    tx: networks.reduce((sum, { tx_bytes }) => sum + tx_bytes, 0),
  };
}

/** Use against limits. Rates need an earlier sample of the same run; without one they are left out, not invented. */
export function usageOf(
  stats: Stats,
  { HostConfig }: Inspected,
  last: UsageSample | undefined,
  now: UsageSample,
): Usage {
  const online = stats.cpu_stats.online_cpus ?? 0;
  const seconds =
    last && online && last.startedAt === now.startedAt ? (now.systemNs - last.systemNs) / 1e9 / online : 0;
  const rate = (from: number, to: number): number => round(Math.max(0, to - from) / seconds);
  const cores = coresOf(HostConfig, online);
  const cpuPercent =
    last && seconds > 0 && cores ? round((rate(last.cpuNs, now.cpuNs) / 1e9 / cores) * 100) : undefined;
  const memory = workingSet(stats);
  const memoryPercent =
    memory !== undefined && stats.memory_stats.limit ? round((memory / stats.memory_stats.limit) * 100) : undefined;
  const metrics: Metrics = {
    ...(cpuPercent !== undefined && { cpu: [cpuPercent, "%"] as const }),
    ...(memoryPercent !== undefined && { memory: [memoryPercent, "%"] as const }),
    ...(memory !== undefined && { memoryBytes: [memory, "B"] as const }),
    ...(stats.pids_stats?.current !== undefined && { pids: [stats.pids_stats.current, "1"] as const }),
    ...(last &&
      seconds > 0 &&
      stats.networks && {
        rx: [rate(last.rx, now.rx), "B/s"] as const,
        tx: [rate(last.tx, now.tx), "B/s"] as const,
      }),
  };
  return { metrics, cpuPercent, memoryPercent };
}

function coresOf({ NanoCpus, CpuQuota, CpuPeriod, CpusetCpus }: Inspected["HostConfig"], online: number): number {
  const pinned = CpusetCpus ? Math.min(online, coresIn(CpusetCpus)) : online;
  if (NanoCpus) return Math.min(pinned, NanoCpus / 1e9);
  // The kernel's default period, when only the quota was set.
  return CpuQuota && CpuQuota > 0 ? Math.min(pinned, CpuQuota / (CpuPeriod || 100_000)) : pinned;
}

/** How many cores a list such as `0-2,7` names. */
const coresIn = (list: string): number =>
  list.split(",").reduce((sum, part) => {
    const [first, last = first] = part.split("-").map(Number);
    return sum + Number(last) - Number(first) + 1;
  }, 0);

/** Memory without the file cache the kernel can drop, as `docker stats` shows it: cgroup v2 and v1 name it differently. */
function workingSet({ memory_stats: { usage, stats = {} } }: Stats): number | undefined {
  if (usage === undefined) return undefined;
  return Math.max(0, usage - (stats.total_inactive_file ?? stats.inactive_file ?? 0));
}

const round = (value: number): number => Math.round(value * 10) / 10;
