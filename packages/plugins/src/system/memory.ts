import { defineProbe, notApplicable, type Outcome, unknown } from "../contract.js";
import { gradeRising, worst } from "../ladder.js";
import { bytes } from "./bytes.js";
import { manifest } from "./config.js";
import type { Host } from "./host.js";

export const memory = (host: Host) =>
  defineProbe(manifest.probes.memory, async (config): Promise<Outcome> => {
    // os.freemem() is no substitute: elsewhere it counts the file cache as used, and every healthy host would be CRIT.
    if (host.platform !== "linux")
      return notApplicable(
        `${host.platform} does not say how much memory is available; this probe reads Linux's /proc/meminfo`,
      );

    const { MemTotal, MemAvailable, SwapTotal = 0, SwapFree = 0 } = parseMeminfo(await host.read("/proc/meminfo"));
    if (!MemTotal || MemAvailable === undefined)
      return unknown("/proc/meminfo has no MemTotal or no MemAvailable; is /proc the kernel's?");

    const used = (100 * (MemTotal - MemAvailable)) / MemTotal;
    const swapUsed = SwapTotal - SwapFree;
    const swap = SwapTotal > 0 ? (100 * swapUsed) / SwapTotal : 0;
    return {
      status: worst(gradeRising(used, config), config.swap ? gradeRising(swap, config.swap) : "OK"),
      summary: `memory ${used.toFixed(1)} % used, ${bytes(MemAvailable)} of ${bytes(MemTotal)} available; warn ${config.warn} %, crit ${config.crit} %; ${describeSwap(swap, swapUsed, SwapTotal, config.swap)}${host.scope}`,
      metrics: {
        used: [Math.round(used * 10) / 10, "%"],
        available: [MemAvailable, "B"],
        total: [MemTotal, "B"],
        swapUsed: [Math.round(swap * 10) / 10, "%"],
        swapUsedBytes: [swapUsed, "B"],
        swapTotal: [SwapTotal, "B"],
      },
    };
  });

function describeSwap(percent: number, used: number, total: number, limits?: { warn: number; crit: number }): string {
  if (total === 0) return "no swap";
  const judged = limits ? `; warn ${limits.warn} %, crit ${limits.crit} %` : "";
  return `swap ${percent.toFixed(1)} % (${bytes(used)}) used${judged}`;
}

/** `/proc/meminfo` in bytes by its own names. */
function parseMeminfo(text: string): Partial<Record<string, number>> {
  const lines = text.matchAll(/^(\w+):\s+(\d+)( kB)?$/gm);
  return Object.fromEntries([...lines].map(([, name, value, kB]) => [name, Number(value) * (kB ? 1024 : 1)]));
}
