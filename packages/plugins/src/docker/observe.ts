import { clip } from "../clip.js";
import { type Outcome, type ProbeContext, unknown } from "../contract.js";
import { redact } from "../redact.js";
import { LIMITS, type Metrics } from "../wire.js";
import type { OwnActs } from "./acts.js";
import type { ContainersConfig } from "./config.js";
import { type Engine, EngineError, type Inspected, type Stats } from "./engine.js";
import { judge } from "./judge.js";
import { logLines } from "./logs.js";
import type { OomKills } from "./oom-kills.js";
import { noteRestarts, type RestartHistory } from "./restart-loop.js";
import { sampleOf, type Usage, type UsageSample, usageOf } from "./usage.js";

export interface Observer {
  engine: Engine;
  acts: OwnActs;
  config: ContainersConfig;
  context: ProbeContext;
  mustRun: ReadonlySet<string>;
  kills: OomKills;
}

/** One container as it is now; undefined when it was removed while we looked, UNKNOWN when the engine cannot tell. */
export async function observe(observer: Observer, id: string, item: string): Promise<Outcome | undefined> {
  try {
    return await look(observer, id, item);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const summary = `the engine cannot inspect container ${item}: ${error.message}`;
    return unknown(clip(redact(summary), LIMITS.summaryChars), undefined, { item });
  }
}

async function look(observer: Observer, id: string, item: string): Promise<Outcome | undefined> {
  const { engine, acts, config, context } = observer;
  const container = await unlessGone(engine.inspect(id, context.signal));
  if (!container) return undefined;
  const history = noteRestarts(context.memory.get(`restarts:${item}`) as RestartHistory | undefined, container, acts, {
    at: context.now(),
    windowMs: config.restartLoop.windowMs,
  });
  context.memory.set(`restarts:${item}`, history);
  // Our own start ends what was before it, as it does with restarts.
  const since = acts.hasStarted(id, container.State.StartedAt) ? Date.parse(container.State.StartedAt) : 0;
  const kills = observer.kills.get(id) ?? [];
  const usage = await measure(observer, container, item);
  const verdict = judge(
    {
      container,
      restarts: history.noticed.length,
      oomKills: kills.filter((at) => at > since).length,
      usage,
      mustRun: observer.mustRun.has(item),
      stoppedByUs: acts.hasStopped(id, container.State.StartedAt),
    },
    config,
  );
  const metrics: Metrics = { restarts: [container.RestartCount, "1"], ...usage?.metrics };
  const unmeasured = usage?.failure === undefined ? "" : `; its use cannot be measured: ${usage.failure}`;
  return {
    item,
    status: verdict.status,
    summary: clip(redact(`container ${item} ${verdict.reason}${unmeasured}`), LIMITS.summaryChars),
    metrics,
    ...(verdict.status === "CRIT" && { evidence: await evidenceOf(observer, container) }),
  };
}

async function measure(
  { engine, config, context }: Observer,
  container: Inspected,
  item: string,
): Promise<Usage | undefined> {
  if (!config.stats || container.State.Status !== "running") return undefined;
  let stats: Stats | undefined;
  try {
    stats = await unlessGone(engine.stats(container.Id, context.signal));
  } catch (error) {
    // The state is worth telling without the use.
    if (error instanceof EngineError) return { metrics: {}, failure: error.message };
    throw error;
  }
  // An engine answers with zeros for a container that ended since the inspection.
  if (!stats || stats.memory_stats.usage === undefined) return undefined;
  const now = sampleOf(stats, container.State.StartedAt);
  const last = context.memory.get(`usage:${item}`) as UsageSample | undefined;
  context.memory.set(`usage:${item}`, now);
  return usageOf(stats, container, last, now);
}

async function evidenceOf(
  { engine, config, context }: Observer,
  container: Inspected,
): Promise<Record<string, unknown>> {
  const { State, Config } = container;
  const lastCheck = State.Health?.Log?.at(-1);
  return {
    containerId: container.Id.slice(0, 12),
    image: Config.Image,
    // The engine resets it at every start.
    ...(State.Status !== "running" && { exitCode: State.ExitCode }),
    oomKilled: State.OOMKilled,
    error: clip(redact(State.Error), 1_000),
    startedAt: State.StartedAt,
    finishedAt: State.FinishedAt,
    restartCount: container.RestartCount,
    ...(lastCheck && {
      healthCheck: { exitCode: lastCheck.ExitCode, output: clip(redact(lastCheck.Output), 1_000) },
    }),
    logs: await lastLogs(engine, container, config.logLines, context.signal),
  };
}

async function lastLogs(
  engine: Engine,
  { Id, Config }: Inspected,
  lines: number,
  signal: AbortSignal,
): Promise<string[]> {
  if (lines === 0) return [];
  try {
    return logLines(await engine.logs(Id, lines, signal), Config.Tty);
  } catch (error) {
    // Some log drivers cannot be read back; the failure itself must be reported all the same.
    if (error instanceof EngineError) return [`(no logs: ${error.message})`];
    throw error;
  }
}

async function unlessGone<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof EngineError && (error.status === 404 || error.status === 409)) return undefined;
    throw error;
  }
}
