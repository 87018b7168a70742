import { defineProbe, notApplicable, type Outcome, unknown } from "../contract.js";
import { gradeRising } from "../ladder.js";
import { manifest } from "./config.js";
import type { Host } from "./host.js";

export const load = (host: Host) =>
  defineProbe(manifest.probes.load, async (config): Promise<Outcome> => {
    if (host.platform === "win32") return notApplicable("Windows has no load average");
    const [load1 = 0, load5 = 0, load15 = 0] = host.loadavg();
    const cores = host.cpus().length;
    if (cores === 0) return unknown("the operating system names no CPU; the load cannot be put in proportion");

    const perCore = load5 / cores;
    return {
      status: gradeRising(perCore, config),
      summary: `load ${load1.toFixed(2)} ${load5.toFixed(2)} ${load15.toFixed(2)} on ${cores} cores, ${perCore.toFixed(2)} per core over 5 minutes; warn ${config.warn}, crit ${config.crit}${host.scope}`,
      metrics: {
        load1PerCore: [round(load1 / cores), "1"],
        load5PerCore: [round(perCore), "1"],
        load15PerCore: [round(load15 / cores), "1"],
        load1: [round(load1), "1"],
        load5: [round(load5), "1"],
        load15: [round(load15), "1"],
        cores: [cores, "1"],
      },
    };
  });

const round = (value: number) => Math.round(value * 1000) / 1000;
