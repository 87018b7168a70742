import { closeSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type AgentProcess, startAgentProcess } from "../harness/agent-process.js";
import type { FakeEngine } from "../harness/fake-engine.js";
import type { FaultProxy } from "../harness/fault-proxy.js";
import type { Link } from "../harness/link.js";
import { type ServerProcess, startServerProcess } from "../harness/server-process.js";
import type { ChaosDatabase } from "./database.js";
import { Keeper, type Kept } from "./keeper.js";
import type { PlantedBug } from "./planted-bugs.js";
import type { Random } from "./random.js";
import { clockEnvironment } from "./shifted-clock.js";
import type { Story } from "./story.js";
import type { Worker } from "./worker.js";

// Node itself loads it, so it is the compiled one, also for a test that runs from sources.
const root = join(dirname(createRequire(import.meta.url).resolve("@poppo-ops/api/package.json")), "../..");
const preload = ["--import", pathToFileURL(join(root, "test/dist/chaos/preload.js")).href];

/** As small as an agent allows, so that short outages fill it. */
export const SPOOL_BYTES = 2 ** 20;

/** A process that is started again whenever it ends. */
export interface Victim {
  name: string;
  keeper: Keeper;
  /** The process of now. */
  readonly pid: number;
  /** Where files arm its crash points. */
  points: string;
  /** The file that says by how much its clock is wrong. */
  clock: string;
  /** As a service manager would end it. */
  stop(): Promise<void>;
}

export interface Replica extends Victim {
  server: ServerProcess;
  database: Link;
}

/** What a host has before its agent is there. */
export interface Site {
  name: string;
  link: FaultProxy;
  engine: FakeEngine;
  worker: Worker;
}

export interface Host extends Site, Victim {
  agent: AgentProcess;
}

export interface Surroundings {
  folder: string;
  random: Random;
  story: Story;
  bugs?: PlantedBug[];
  /** What no agent should ever say. */
  complain(text: string): void;
  own<Thing extends AsyncDisposable>(thing: Thing): Thing;
}

export async function startReplica(name: string, database: ChaosDatabase, around: Surroundings): Promise<Replica> {
  const relay = await database.relay();
  const { points, clock, env, output } = await equip(name, around);
  const server = around.own(
    await startServerProcess({ ...env, DATABASE_URL: relay.url }, { execArgv: preload, output }),
  );
  return {
    ...keep(name, server, points, around, () => ""),
    clock,
    get pid() {
      return server.pid;
    },
    server,
    database: relay,
  };
}

export async function startHost(site: Site, server: ServerProcess, around: Surroundings): Promise<Host> {
  const { points, clock, env, output } = await equip(site.name, around);
  const policy = {
    allow: ["process.restart", "docker.restart"].map((remediation) => ({ remediation, targets: ["*"] })),
  };
  const agent = around.own(
    await startAgentProcess(server, site.name, policy, {
      url: site.link.url,
      spool: { maxBytes: SPOOL_BYTES },
      env,
      execArgv: preload,
      output,
    }),
  );
  return {
    ...site,
    ...keep(site.name, agent, points, around, () => giveUpOf(agent)),
    get pid() {
      return agent.pid;
    },
    agent,
    clock,
  };
}

async function equip(name: string, { folder, bugs = [], own }: Surroundings) {
  const points = join(folder, "points", name);
  const clock = join(folder, `${name}.clock`);
  await mkdir(points, { recursive: true });
  const output = openSync(join(folder, `${name}.log`), "a");
  own({ [Symbol.asyncDispose]: async () => closeSync(output) });
  const env = {
    ...{ POPPO_CHAOS_POINTS: points, POPPO_CHAOS_BUGS: JSON.stringify(bugs) },
    ...(await clockEnvironment(clock)),
  };
  return { points, clock, output, env };
}

function keep(
  name: string,
  process: Kept & Pick<ServerProcess, "stop">,
  points: string,
  { random, story, own, complain }: Surroundings,
  complaint: () => string,
): Omit<Victim, "pid" | "clock"> {
  const pause = random.branch(`restarts of ${name}`);
  const keeper = own(
    new Keeper(
      process,
      () => pause.between(50, 1500),
      () => {
        story.tell(`${name} has ended ${complaint()}`);
        if (complaint()) complain(`${name} ${complaint()}`);
      },
    ),
  );
  return { name, keeper, points, stop: () => process.stop() };
}

/** A signal gives no exit code, a stop gives 0, and a second one while the first is under way 130. */
const giveUpOf = ({ exitCode }: AgentProcess): string =>
  exitCode && exitCode !== 130 ? `gave up with exit code ${exitCode}` : "";
