import { defineProbe, type Outcome, unknown } from "../contract.js";
import { gradeRising } from "../ladder.js";
import { manifest } from "./config.js";
import type { Host } from "./host.js";
import { twoSamples } from "./two-samples.js";

/** Ticks by what the time went to. `guest` is left out: the kernel counts it in `user` already. */
interface Ticks {
  user: number;
  system: number;
  idle: number;
  iowait: number;
  steal: number;
}
type Counters = { all: Ticks; cores: Ticks[] };

export const cpu = (host: Host) =>
  defineProbe(manifest.probes.cpu, async (config, context): Promise<Outcome> => {
    const delta = await twoSamples(() => readTicks(host), isComparable, context);
    if (!delta) return unknown("the CPU counters did not move between two samples; is /proc/stat the kernel's?");

    const share = shares(delta.before.all, delta.after.all);
    const cores = delta.after.cores.map((after, i) => round(shares(delta.before.cores[i] as Ticks, after).used));
    return {
      status: gradeRising(share.used, config),
      summary: `CPU ${share.used.toFixed(1)} % busy over ${delta.seconds.toFixed(1)} s, iowait ${share.iowait.toFixed(1)} %, steal ${share.steal.toFixed(1)} %; warn ${config.warn} %, crit ${config.crit} %${host.scope}`,
      metrics: {
        used: [round(share.used), "%"],
        user: [round(share.user), "%"],
        system: [round(share.system), "%"],
        iowait: [round(share.iowait), "%"],
        steal: [round(share.steal), "%"],
        cores: [cores.length, "1"],
        ...(cores.length > 0 && { busiestCore: [Math.max(...cores), "%"] }),
      },
      ...(config.perCore && { evidence: { cores } }),
    };
  });

async function readTicks(host: Host): Promise<Counters> {
  if (host.platform === "linux") return parseStat(await host.read("/proc/stat"));
  const cores = host.cpus().map(({ times }) => ({
    user: times.user + times.nice,
    system: times.sys + times.irq,
    idle: times.idle,
    iowait: 0,
    steal: 0,
  }));
  return { all: cores.reduce(add, { user: 0, system: 0, idle: 0, iowait: 0, steal: 0 }), cores };
}

/** @throws when the first line is not the sum over all cores */
export function parseStat(text: string): Counters {
  const [all, ...cores] = text
    .split("\n")
    .filter((line) => /^cpu\d* /.test(line))
    .map(parseTicks);
  if (!all) throw new Error(`/proc/stat begins with "${text.slice(0, 40)}", not with a "cpu" line; is /proc mounted?`);
  return { all, cores };
}

function parseTicks(line: string): Ticks {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { user: user + nice, system: system + irq + softirq, idle, iowait, steal };
}

const add = (a: Ticks, b: Ticks): Ticks => ({
  user: a.user + b.user,
  system: a.system + b.system,
  idle: a.idle + b.idle,
  iowait: a.iowait + b.iowait,
  steal: a.steal + b.steal,
});

const total = (ticks: Ticks) => ticks.user + ticks.system + ticks.idle + ticks.iowait + ticks.steal;

const isComparable = (before: Counters, after: Counters) =>
  before.cores.length === after.cores.length &&
  total(after.all) > total(before.all) &&
  after.all.user >= before.all.user;

/** In %. The kernel's iowait and idle may go back a little; a share is never negative for it. */
function shares(before: Ticks, after: Ticks) {
  const moved = (key: keyof Ticks) => Math.max(0, after[key] - before[key]);
  const parts = { user: moved("user"), system: moved("system"), iowait: moved("iowait"), steal: moved("steal") };
  const busy = parts.user + parts.system + parts.steal;
  const all = busy + parts.iowait + moved("idle");
  const percent = (ticks: number) => (all > 0 ? (100 * ticks) / all : 0);
  return {
    used: percent(busy),
    user: percent(parts.user),
    system: percent(parts.system),
    iowait: percent(parts.iowait),
    steal: percent(parts.steal),
  };
}

const round = (value: number) => Math.round(value * 10) / 10;
