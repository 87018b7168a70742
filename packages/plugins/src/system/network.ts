import { defineProbe, notApplicable, type Outcome, type ProbeContext, unknown } from "../contract.js";
import { gradeRising } from "../ladder.js";
import { bytes } from "./bytes.js";
import { manifest, type NetworkConfig } from "./config.js";
import type { Host } from "./host.js";
import { twoSamples } from "./two-samples.js";

const COLUMNS = ["rxBytes", "rxPackets", "rxErrors", "rxDrops", "txBytes", "txPackets", "txErrors", "txDrops"] as const;
/** Where `COLUMNS` stand in a line of `/proc/net/dev`. */
const POSITIONS = [0, 1, 2, 3, 8, 9, 10, 11] as const;

type Traffic = Record<(typeof COLUMNS)[number], number>;
type Interfaces = Record<string, Traffic>;

export const network = (host: Host) =>
  defineProbe(manifest.probes.network, async (config, context): Promise<Outcome | Outcome[]> => {
    if (host.platform !== "linux")
      return notApplicable(`this probe reads Linux's /proc/net/dev; ${host.platform} has none`);

    const names = config.interfaces ?? (await physicalInterfaces(host));
    if (names.length === 0) return notApplicable("this host has no network interface but lo");
    const read = async () => pick(parseNetDev(await host.read("/proc/net/dev")), names);
    return measure(names, read, config, context);
  });

async function measure(
  names: string[],
  read: () => Promise<Interfaces>,
  config: NetworkConfig,
  context: ProbeContext,
): Promise<Outcome[]> {
  const delta = await twoSamples(read, isComparable, context);
  return names.map((item) => {
    const before = delta?.before[item];
    const after = delta?.after[item];
    if (before && after) return judge(item, before, after, delta.seconds, config);
    return unknown(
      delta ? `there is no interface ${item}` : `the counters of ${item} were reset while measured`,
      undefined,
      { item },
    );
  });
}

function judge(item: string, before: Traffic, after: Traffic, seconds: number, config: NetworkConfig): Outcome {
  const moved = (key: keyof Traffic) => after[key] - before[key];
  const rate = (key: keyof Traffic) => Math.round((moved(key) / seconds) * 10) / 10;
  const bad = moved("rxErrors") + moved("txErrors") + moved("rxDrops") + moved("txDrops");
  const packets = moved("rxPackets") + moved("txPackets") + bad;
  const badShare = packets > 0 ? (100 * bad) / packets : 0;
  return {
    item,
    status: packets >= config.minPackets ? gradeRising(badShare, config) : "OK",
    summary: `${item} in ${bytes(rate("rxBytes"))}/s, out ${bytes(rate("txBytes"))}/s, ${bad} of ${packets} packets bad (${badShare.toFixed(2)} %); warn ${config.warn} %, crit ${config.crit} % from ${config.minPackets} packets on`,
    metrics: {
      rx: [rate("rxBytes"), "B/s"],
      tx: [rate("txBytes"), "B/s"],
      rxErrors: [rate("rxErrors"), "1/s"],
      txErrors: [rate("txErrors"), "1/s"],
      rxDrops: [rate("rxDrops"), "1/s"],
      txDrops: [rate("txDrops"), "1/s"],
      bad: [Math.round(badShare * 100) / 100, "%"],
    },
  };
}

/** Those backed by a device. A container's `eth0` is not; there, and only there, every interface but `lo` counts. */
async function physicalInterfaces(host: Host): Promise<string[]> {
  const names = Object.keys(parseNetDev(await host.read("/proc/net/dev"))).filter((name) => name !== "lo");
  const physical = await Promise.all(names.map((name) => host.exists(`/sys/class/net/${name}/device`)));
  return physical.includes(true) ? names.filter((_, i) => physical[i]) : names;
}

function parseNetDev(text: string): Interfaces {
  const lines = text.matchAll(/^\s*([^\s:]+):\s*(\d.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, counters]) => [name, parseCounters(counters as string)]));
}

function parseCounters(text: string): Traffic {
  const values = text.trim().split(/\s+/).map(Number);
  return Object.fromEntries(COLUMNS.map((name, i) => [name, values[POSITIONS[i] as number] ?? 0])) as Traffic;
}

const pick = (all: Interfaces, names: string[]): Interfaces =>
  Object.fromEntries(names.flatMap((name) => (all[name] ? [[name, all[name]]] : [])));

/** A counter that went back was reset (driver reload, 32-bit wrap); an interface that came has no past. */
const isComparable = (before: Interfaces, after: Interfaces) =>
  Object.entries(after).every(([name, now]) => COLUMNS.every((key) => now[key] >= (before[name]?.[key] ?? Infinity)));
