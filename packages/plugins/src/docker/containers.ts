import { access } from "node:fs/promises";
import picomatch from "picomatch";
import { clip } from "../clip.js";
import { crit, defineProbe, notApplicable, type Outcome, ok, type ProbeContext, unknown } from "../contract.js";
import { LIMITS } from "../wire.js";
import type { OwnActs } from "./acts.js";
import { type ContainersConfig, manifest } from "./config.js";
import { type Engine, EngineUnreachable, engineAt, type Listed } from "./engine.js";
import { mapBounded } from "./map-bounded.js";
import { observe } from "./observe.js";
import { oomKills } from "./oom-kills.js";

const CONCURRENCY = 4;

export const containersProbe = (acts: OwnActs) =>
  defineProbe(manifest.probes.containers, async (config, context): Promise<Outcome[]> => {
    const reached = await reach(config, context);
    if ("unreached" in reached) return [reached.unreached];
    const { engine, listed, at } = reached;
    const wanted = listed.filter(matcher(config.names));
    const mustRun = new Set(config.names?.filter((name) => !isGlob(name)));
    const kills = await oomKills(engine, { at, windowMs: config.restartLoop.windowMs }, context.signal);
    const observer = { engine, acts, config, context, mustRun, kills };
    const seen = await mapBounded(wanted, CONCURRENCY, (one) => observe(observer, one.Id, nameOf(one)));
    const outcomes = [...seen.filter((outcome) => outcome !== undefined), ...missing(config, mustRun, listed, wanted)];
    outcomes.sort((a, b) => ((a.item ?? "") < (b.item ?? "") ? -1 : 1));
    return [...engineOutcome(context, outcomes), ...outcomes, ...vanished(context, outcomes)];
  });

type Reached = { engine: Engine; listed: Listed[]; at: number } | { unreached: Outcome };

async function reach(config: ContainersConfig, { signal, memory }: ProbeContext): Promise<Reached> {
  const engine = engineAt(config.socketPath);
  try {
    const answer = await engine.list({ label: labelFilters(config) }, signal);
    memory.set("engineSeen", true);
    return { engine, ...answer };
  } catch (error) {
    if (!(error instanceof EngineUnreachable)) {
      signal.throwIfAborted();
      return { unreached: unreached(memory, `the Docker engine at ${config.socketPath}: ${String(error)}`) };
    }
    const isInstalled = await access(config.socketPath).then(
      () => true,
      () => error.code !== "ENOENT",
    );
    // Whoever names a container, or has seen an engine, has one.
    const isExpected =
      memory.has("engineSeen") || config.names || config.service || Object.keys(config.labels).length > 0;
    if (!isInstalled && !isExpected)
      return { unreached: notApplicable(`no Docker engine here: ${config.socketPath} does not exist`) };
    return { unreached: unreached(memory, error.message) };
  }
}

function unreached(memory: Map<string, unknown>, summary: string): Outcome {
  memory.set("engineLost", true);
  return unknown(clip(summary, LIMITS.summaryChars));
}

function labelFilters({ labels, service }: ContainersConfig): string[] {
  const filters = Object.entries(labels).map(([name, value]) => (value === "" ? name : `${name}=${value}`));
  return service === undefined ? filters : [...filters, `com.docker.compose.service=${service}`];
}

/** The engine's own state is told when it matters: it is back, or there is nothing else to tell. */
function engineOutcome({ memory }: ProbeContext, outcomes: readonly Outcome[]): Outcome[] {
  const isBack = memory.delete("engineLost");
  if (outcomes.length === 0) return [notApplicable("the Docker engine has no matching container")];
  return isBack || memory.delete("noneMatched") ? [ok("the Docker engine answers")] : [];
}

function missing(config: ContainersConfig, mustRun: Set<string>, listed: Listed[], wanted: Listed[]): Outcome[] {
  const present = new Set(listed.map(nameOf));
  const absent = [...mustRun].filter((name) => !present.has(name));
  const lost = absent.map((item) => crit(`container ${item} does not exist`, undefined, { item }));
  const { service } = config;
  if (service === undefined || wanted.length > 0 || lost.length > 0) return lost;
  return [crit(`compose service ${service} has no container`, undefined, { item: service })];
}

/** Items reported last time and gone now are closed once, so that no old failure stays open for a removed container. */
function vanished({ memory }: ProbeContext, outcomes: readonly Outcome[]): Outcome[] {
  const items = outcomes.map(({ item = "" }) => item);
  const last = (memory.get("items") as string[] | undefined) ?? [];
  memory.set("items", items);
  if (outcomes.length === 0) memory.set("noneMatched", true);
  const gone = last.filter((item) => !items.includes(item));
  for (const item of gone) for (const key of ["restarts", "usage"]) memory.delete(`${key}:${item}`);
  return gone.map((item) => notApplicable(`container ${item} was removed`, undefined, { item }));
}

function matcher(names: readonly string[] | undefined): (container: Listed) => boolean {
  if (!names) return () => true;
  const matches = picomatch([...names], { dot: true });
  return (container) => matches(nameOf(container));
}

const isGlob = (name: string): boolean => picomatch.scan(name).isGlob;

/** A linked container has more names, `/other/alias`; its own has one slash. */
function nameOf({ Names, Id }: Listed): string {
  const own = Names.find((name) => name.lastIndexOf("/") === 0) ?? Names[0];
  return own?.slice(1) ?? Id.slice(0, 12);
}
