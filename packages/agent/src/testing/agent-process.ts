import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(import.meta.url);

/** Compiles the agent and what it needs: the tests run the very program that is shipped. */
export function buildAgent(): void {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  // A type error is the type check's to report; the program is written all the same.
  spawnSync(process.execPath, [tsc, "-b", PACKAGE], { stdio: "inherit" });
}

export interface AgentProcess extends AsyncDisposable {
  pid: number;
  /** Everything it logged so far. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with exit code or signal. */
  exited: Promise<number | NodeJS.Signals>;
}

/** Starts the real agent on `folder` (config and data) with `config` beside server and data folder. */
export function startAgentProcess(folder: string, server: string, config: object = {}): AgentProcess {
  const path = join(folder, "agent.yaml");
  // JSON is YAML.
  writeFileSync(
    path,
    JSON.stringify({ server, name: "test-host", dataDir: "data", enrolmentToken: "enrol-me", ...config }),
  );
  return runAgent(["--config", path]);
}

/** Runs the program with these arguments. */
export function runAgent(args: string[], env: NodeJS.ProcessEnv = {}): AgentProcess {
  const child = spawn(process.execPath, [join(PACKAGE, "bin/poppo-ops-agent.js"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let log = "";
  const append = (data: Buffer) => {
    log += data;
  };
  child.stdout.on("data", append);
  child.stderr.on("data", append);
  const exited = once(child, "close").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  return {
    pid: child.pid as number,
    log: () => log,
    kill: (signal) => void child.kill(signal),
    exited,
    async [Symbol.asyncDispose]() {
      if (isRunning(child)) child.kill("SIGKILL");
      await exited;
    },
  };
}

const isRunning = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;
