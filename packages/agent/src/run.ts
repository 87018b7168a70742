import { redact } from "@poppo-ops/plugins";
import { type Logger, pino } from "pino";
import { type Agent, startAgent } from "./agent.js";
import { systemClock as clock, stayAlive } from "./clock.js";
import type { AgentConfig } from "./config/config.js";
import { lockFolder } from "./files/lock-folder.js";
import { EnrolmentRefused, enrol } from "./identity/enrol.js";
import { loadIdentity } from "./identity/identity.js";
import { newId, random } from "./ids.js";
import { openPlugins } from "./plugins/plugins.js";
import { runningProbe } from "./scheduler/run-probe.js";

export const EXIT = { STOPPED: 0, ENROLMENT_REFUSED: 3, REVOKED: 4, SUPERSEDED: 5 } as const;

const ADVICE = {
  REVOKED: "the server has revoked this agent; delete its data folder and enrol again to come back",
  SUPERSEDED: "another agent with this identity has connected; this one stops so that they do not fight",
} as const;

/** Runs the agent until it is told to stop, by a signal or by the server. @returns the exit code */
export async function run(config: AgentConfig, version: string): Promise<number> {
  const log = pino({ level: config.logLevel, base: { agent: config.name } });
  const unlock = lockFolder(config.dataDir);
  const release = stayAlive();
  const stop = stopSignal(log);
  containPlugins(log);
  try {
    const warn = (message: string, details = {}) => log.warn(details, message);
    const identity =
      loadIdentity(config.dataDir) ?? (await enrol({ config, version, clock, random, warn, signal: stop }));
    const plugins = await openPlugins(config.plugins, warn);
    const agent = await startAgent({ config, identity, plugins, log, clock, newId, random, redact });
    log.info({ agentId: identity.agentId, version, server: config.server }, "agent started");
    return await untilOver(agent, stop, log);
  } catch (error) {
    if (stop.aborted) return EXIT.STOPPED;
    if (!(error instanceof EnrolmentRefused)) throw error;
    log.fatal(error.message);
    return EXIT.ENROLMENT_REFUSED;
  } finally {
    release();
    unlock();
  }
}

async function untilOver(agent: Agent, stop: AbortSignal, log: Logger): Promise<number> {
  const stopped = new Promise<"STOPPED">((resolve) => {
    if (stop.aborted) resolve("STOPPED");
    stop.addEventListener("abort", () => resolve("STOPPED"));
  });
  const end = await Promise.race([agent.ended, stopped]);
  if (end !== "STOPPED") log.fatal(ADVICE[end]);
  await agent.stop();
  log.info("agent stopped");
  return EXIT[end];
}

/** Aborts at the first SIGTERM or SIGINT; the second ends the process where it stands. */
function stopSignal(log: Logger): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(130);
      log.info(`${name}: stopping`);
      stop.abort();
    });
  // Forked by `poppo-ops up`: without its parent it would hold the data folder against the next one.
  process.once("disconnect", () => stop.abort());
  return stop.signal;
}

/** An error in a plugin's timer or a promise it forgot must not end the agent. */
function containPlugins(log: Logger): void {
  const contain = (error: unknown) => {
    const probe = runningProbe.getStore();
    const by = probe ? `probe ${probe.name} (${probe.kind})` : "a plugin";
    log.error({ err: error, probeId: probe?.probeId }, `uncaught error of ${by}; the agent goes on`);
  };
  process.on("uncaughtException", contain);
  process.on("unhandledRejection", contain);
}
