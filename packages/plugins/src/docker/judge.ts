import { gradeRising, worst } from "../ladder.js";
import type { OutcomeStatus } from "../wire.js";
import type { ContainersConfig } from "./config.js";
import type { Inspected } from "./engine.js";
import type { Usage } from "./usage.js";

export interface Seen {
  container: Inspected;
  /** Restarts within the window. */
  restarts: number;
  /** Processes killed within the window because memory ran out. */
  oomKills: number;
  usage?: Usage;
  /** Named without a glob: it has to run. */
  mustRun: boolean;
  stoppedByUs: boolean;
}

export interface Verdict {
  status: OutcomeStatus;
  reason: string;
}

/** What one container's state means. `README.md` holds the table. */
export function judge(seen: Seen, config: ContainersConfig): Verdict {
  const { State } = seen.container;
  switch (State.Status) {
    case "running":
      return judgeRunning(seen, config);
    case "restarting":
      return { status: "CRIT", reason: `is restarting over and over: ${exitText(State)}` };
    case "paused":
      return { status: "WARN", reason: "is paused" };
    case "removing":
      return { status: "NOT_APPLICABLE", reason: "is being removed" };
    case "created":
      return judgeCreated(seen);
    default:
      return judgeEnded(seen);
  }
}

function judgeRunning({ container: { State }, restarts, oomKills, usage }: Seen, config: ContainersConfig): Verdict {
  const { restartLoop, memoryPercent, cpuPercent } = config;
  const minutes = Math.round(restartLoop.windowMs / 6_000) / 10;
  const killed =
    oomKills > 0
      ? [`ran out of memory (OOM) ${oomKills} ${oomKills === 1 ? "time" : "times"} within ${minutes} min`]
      : [];
  if (restarts > restartLoop.restarts) {
    const loop = `is in a restart loop: ${restarts} restarts within ${minutes} min`;
    return { status: "CRIT", reason: [loop, ...killed].join("; ") };
  }
  const health = State.Health?.Status ?? "none";
  if (health === "unhealthy")
    return { status: "CRIT", reason: `is unhealthy: ${State.Health?.FailingStreak} checks failed in a row` };
  // A verification must not take "not checked yet" for success.
  if (health === "starting") return { status: "UNKNOWN", reason: "is starting: its health check has not passed yet" };

  const memory = usage?.memoryPercent ?? 0;
  const cpu = usage?.cpuPercent ?? 0;
  const grades = { memory: gradeRising(memory, memoryPercent), cpu: gradeRising(cpu, cpuPercent) };
  const status = worst(grades.memory, grades.cpu, oomKills > 0 ? "WARN" : "OK");
  const reasons = [
    health === "healthy" ? "is running and healthy" : "is running",
    ...killed,
    ...(grades.memory === "OK"
      ? []
      : [`memory ${memory} % of its limit (warn ${memoryPercent.warn}, crit ${memoryPercent.crit})`]),
    ...(grades.cpu === "OK" ? [] : [`CPU ${cpu} % of its limit (warn ${cpuPercent.warn}, crit ${cpuPercent.crit})`]),
  ];
  return { status, reason: reasons.join("; ") };
}

function judgeCreated({ container: { State }, mustRun }: Seen): Verdict {
  if (State.Error !== "") return { status: "CRIT", reason: `could not start: ${State.Error}` };
  return { status: mustRun ? "CRIT" : "WARN", reason: "was created and never started" };
}

function judgeEnded({ container: { State, HostConfig }, mustRun, stoppedByUs }: Seen): Verdict {
  if (State.Status === "dead") return { status: "CRIT", reason: `is dead: ${exitText(State)}` };
  if (stoppedByUs) return { status: "OK", reason: "was stopped on purpose by docker.stop" };
  if (State.ExitCode !== 0 || State.OOMKilled || State.Error !== "") return { status: "CRIT", reason: exitText(State) };
  if (mustRun) return { status: "CRIT", reason: `${exitText(State)}, but has to run` };
  // The engine restarts such a container unless somebody stopped it.
  const policy = HostConfig.RestartPolicy.Name;
  if (policy === "always" || policy === "unless-stopped")
    return { status: "WARN", reason: `was stopped by somebody (restart policy ${policy})` };
  return { status: "OK", reason: "completed with exit code 0" };
}

function exitText({ ExitCode, OOMKilled, Error: error }: Inspected["State"]): string {
  const by = ExitCode > 128 && ExitCode < 160 ? ` (signal ${ExitCode - 128})` : "";
  const oom = OOMKilled ? ", killed because it ran out of memory (OOM)" : "";
  return `exited with code ${ExitCode}${by}${oom}${error ? `: ${error}` : ""}`;
}
