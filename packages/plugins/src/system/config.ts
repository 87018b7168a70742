import { z } from "zod";
import { defineManifest } from "../contract.js";
import { ladder, rising } from "../ladder.js";

const GiB = 1024 ** 3;

const cpu = z
  .strictObject({
    ...ladder(80, 90, "the busy share of all cores, in %,"),
    perCore: z.boolean().default(false).describe("Add the busy share of every core as evidence."),
  })
  .superRefine(rising);

const memory = z
  .strictObject({
    ...ladder(85, 95, "the share of memory that is not available, in %,"),
    swap: z
      .strictObject(ladder(50, 80, "the used share of swap, in %,"))
      .superRefine(rising)
      .optional()
      .describe("Limits for swap, in %. Absent: swap is measured, not judged."),
  })
  .superRefine(rising);

const disk = z
  .strictObject({
    ...ladder(80, 90, "used/(used + available) of space or of inodes, in %,"),
    minFreeBytes: z
      .number()
      .min(0)
      .default(5 * GiB)
      .describe("CRIT below this many available bytes, but never above 10 % of the file system. 0 turns it off."),
    minHoursToFull: z
      .number()
      .min(0)
      .default(4)
      .describe("CRIT when the present growth fills the file system in fewer hours. 0 turns it off."),
    trendWindowMs: z
      .number()
      .int()
      .min(60_000)
      .max(7 * 24 * 3_600_000)
      .default(3_600_000)
      .describe("How far back growth is measured, in ms. The first sixth of it gives no forecast."),
    mounts: z
      .array(z.string().startsWith("/"))
      .min(1)
      .optional()
      .describe("Exactly these mount points, of any type. Absent: every writable mount of a real file system."),
    exclude: z
      .array(z.string().startsWith("/"))
      .default([
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/snap/*",
        "/var/lib/docker/*",
        "/var/lib/containers/*",
      ])
      .describe("Mount points to leave out; `/a/*` means everything below `/a`. Not applied to `mounts`."),
    mountTimeoutMs: z
      .number()
      .int()
      .min(10)
      .max(60_000)
      .default(2_000)
      .describe("How long one mount may take to answer, in ms, before its item is UNKNOWN."),
  })
  .superRefine(rising);

const load = z.strictObject(ladder(1.5, 3, "the 5-minute load per core")).superRefine(rising);

const network = z
  .strictObject({
    ...ladder(1, 5, "the share of packets with errors or dropped, in %,"),
    minPackets: z
      .number()
      .int()
      .min(1)
      .default(1000)
      .describe("Fewer packets than this between two runs are not judged: one drop of ten is no 10 % problem."),
    interfaces: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        "Exactly these interfaces. Absent: the physical ones, or all but `lo` where there are none (a container).",
      ),
  })
  .superRefine(rising);

export type DiskConfig = z.output<typeof disk>;
export type NetworkConfig = z.output<typeof network>;

export const manifest = defineManifest({
  name: "system",
  version: "1.0.0",
  description: "CPU, memory, disk, load and network of the host the agent runs on.",
  probes: {
    cpu: {
      title: "CPU",
      description: "Busy share of all cores since the last run, with iowait and steal.",
      config: cpu,
      intervalMs: 10_000,
      timeoutMs: 5_000,
    },
    memory: {
      title: "Memory",
      description: "Memory that is not available to programs, and swap.",
      config: memory,
      intervalMs: 10_000,
      timeoutMs: 5_000,
    },
    disk: {
      title: "Disk",
      description: "Space, inodes and hours to full of every mount; one item per mount point.",
      config: disk,
      intervalMs: 60_000,
      timeoutMs: 10_000,
    },
    load: {
      title: "Load",
      description: "Load average per core over 1, 5 and 15 minutes.",
      config: load,
      intervalMs: 30_000,
      timeoutMs: 5_000,
    },
    network: {
      title: "Network",
      description: "Bytes, errors and drops per second of every physical interface; one item per interface.",
      config: network,
      intervalMs: 30_000,
      timeoutMs: 5_000,
    },
  },
  remediations: {},
});
