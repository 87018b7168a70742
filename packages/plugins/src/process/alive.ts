import { clip } from "../clip.js";
import { crit, defineProbe, notApplicable, type Outcome, unknown } from "../contract.js";
import { redact } from "../redact.js";
import { LIMITS, type Metrics } from "../wire.js";
import { type AliveConfig, manifest } from "./config.js";
import { find } from "./find.js";
import {
  commandLine,
  isZombie,
  openFiles,
  type Process,
  programName,
  residentBytes,
  startedAt,
  TICKS_PER_SECOND,
} from "./proc.js";

export const alive = defineProbe(manifest.probes.alive, async (config, { monotonic, memory }): Promise<Outcome> => {
  if (process.platform !== "linux")
    return notApplicable(`processes are read from /proc, which ${process.platform} has not`);
  const found = await find(config);
  if (found.kind === "unreadable") return unknown(line(found.reason));
  if (found.kind === "absent") return crit(line(found.reason), undefined, { evidence: found.evidence });
  return judge(found.processes, config, { at: monotonic(), memory });
});

interface Moment {
  /** On the monotonic clock. */
  at: number;
  memory: Map<string, unknown>;
}

async function judge(processes: readonly Process[], { min, max }: AliveConfig, moment: Moment): Promise<Outcome> {
  const living = processes.filter((process) => !isZombie(process));
  const zombies = processes.length - living.length;
  const [first] = living;
  if (!first) return zombieOutcome(processes);

  const metrics = await measure(living, moment);
  const evidence = {
    pid: first.pid,
    pids: living.slice(0, 50).map(({ pid }) => pid),
    startedAt: new Date(await startedAt(first)).toISOString(),
    cmdline: commandLine(first),
    ...(zombies > 0 && { zombies }),
  };
  const count = `${living.length} ${living.length === 1 ? "process" : "processes"}`;
  const seen = `${programName(first)} runs as ${first.pid}, ${count}${zombies > 0 ? ` and ${zombies} zombies` : ""}`;
  if (living.length < min)
    return { status: "CRIT", summary: line(`${seen}; at least ${min} wanted`), metrics, evidence };
  if (max !== undefined && living.length > max)
    return { status: "WARN", summary: line(`${seen}; at most ${max} wanted`), metrics, evidence };
  return { status: "OK", summary: line(seen), metrics, evidence };
}

function zombieOutcome(processes: readonly Process[]): Outcome {
  const [first] = processes;
  const summary = `${first?.comm} (pid ${first?.pid}) is a zombie: it ended, and its parent ${first?.ppid} has not noticed`;
  return crit(line(summary), undefined, { evidence: { pid: first?.pid, ppid: first?.ppid, state: first?.state } });
}

async function measure(processes: readonly Process[], moment: Moment): Promise<Metrics> {
  const resident = await Promise.all(processes.map(({ pid }) => residentBytes(pid)));
  const files = await Promise.all(processes.map(({ pid }) => openFiles(pid)));
  const cpu = cpuPercent(processes, moment);
  const isComplete = files.every((list) => list !== undefined);
  return {
    count: [processes.length, "1"],
    rss: [sum(resident.map((bytes) => bytes ?? 0)), "B"],
    ...(isComplete && { fds: [sum(files.map((list) => list?.length ?? 0)), "1"] as const }),
    ...(cpu !== undefined && { cpu: [cpu, "%"] as const }),
  };
}

interface Sample {
  at: number;
  ticks: Record<string, number>;
}

/** Of one core, since the last run, over the processes that were there at both ends; undefined on the first run. */
function cpuPercent(processes: readonly Process[], { at, memory }: Moment): number | undefined {
  const last = memory.get("cpu") as Sample | undefined;
  const ticks = Object.fromEntries(
    processes.map((process) => [`${process.pid}:${process.startTicks}`, process.cpuTicks]),
  );
  memory.set("cpu", { at, ticks } satisfies Sample);
  if (!last || at <= last.at) return undefined;
  const used = Object.entries(ticks).map(([id, now]) => Math.max(0, now - (last.ticks[id] ?? now)));
  return Math.round((sum(used) / TICKS_PER_SECOND / ((at - last.at) / 1000)) * 1000) / 10;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const line = (text: string): string => clip(redact(text), LIMITS.summaryChars);
