import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentsDocument, CreateEnrolmentTokenDocument, unwrap } from "@poppo-ops/client";
import { exitOf, type ProcessOptions, profiling, type ServerProcess } from "./server-process.js";

// Found by its package, because this file also runs compiled, from another folder.
const bin = join(
  dirname(createRequire(import.meta.url).resolve("@poppo-ops/agent/package.json")),
  "bin/poppo-ops-agent.js",
);

export interface AgentProcess extends AsyncDisposable {
  id: string;
  pid: number;
  name: string;
  /** Where it keeps its spool and its journal. */
  dataDir: string;
  /** Of the last process; null while it runs, and when a signal ended it. */
  exitCode: number | null;
  start(): void;
  /** Resolves when the process that runs now has ended, whoever ended it. */
  ended(): Promise<void>;
  kill9(): Promise<void>;
  stop(): Promise<void>;
}

export interface AgentProcessOptions extends ProcessOptions {
  /** Where it finds the server, when that is not the server's own address. */
  url?: string;
  spool?: { maxBytes?: number; maxAgeHours?: number };
  env?: Record<string, string>;
}

/** A real agent process, enrolled with one token and one config file, and connected. */
export async function startAgentProcess(
  server: ServerProcess,
  name: string,
  policy: object,
  { url = server.url, spool, env, execArgv = [], output }: AgentProcessOptions = {},
): Promise<AgentProcess> {
  const home = await mkdtemp(join(tmpdir(), "poppo-agent-"));
  const { createEnrolmentToken } = await server.client.request(CreateEnrolmentTokenDocument, {
    input: { namePattern: name },
  });
  const { token } = unwrap(createEnrolmentToken);
  const config = join(home, "agent.yaml");
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      server: url,
      name,
      dataDir: join(home, "data"),
      enrolmentToken: token,
      policy,
      spool,
      logLevel: "warn",
    }),
  );
  let child: ChildProcess;
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exitOf(child);
  };
  const agent: AgentProcess = {
    id: "",
    pid: 0,
    name,
    dataDir: join(home, "data"),
    get exitCode() {
      return child.exitCode;
    },
    start() {
      child = spawn(process.execPath, [...profiling(), ...execArgv, bin, "--config", config], {
        // Whoever starts it may be killed: an agent that loses its parent this way stops.
        stdio: ["ignore", output ?? "inherit", output ?? "inherit", "ipc"],
        env: { ...process.env, ...env },
      });
      agent.pid = child.pid!;
    },
    ended: () => exitOf(child),
    kill9: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    async [Symbol.asyncDispose]() {
      await end("SIGTERM");
      await rm(home, { recursive: true, force: true });
    },
  };
  agent.start();
  agent.id = await onlineAgentId(server, name);
  return agent;
}

/** @throws when it is not connected within 60 s */
async function onlineAgentId({ client }: ServerProcess, name: string): Promise<string> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const { agents } = await client.request(AgentsDocument, { filter: { search: name } });
    const found = agents.nodes.find((agent) => agent.name === name && agent.status === "ONLINE");
    if (found) return found.id;
    await sleep(100);
  }
  throw new Error(`agent ${name} did not connect within 60 s`);
}
