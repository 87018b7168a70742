import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Client, createClient } from "@poppo-ops/client";

// Found by its package, because this file also runs compiled, from another folder.
const bin = join(
  dirname(createRequire(import.meta.url).resolve("@poppo-ops/api/package.json")),
  "bin/poppo-ops-server.js",
);
export const ADMIN_TOKEN = "poppo_api_admin-of-the-scenarios";

export interface ServerProcess extends AsyncDisposable {
  url: string;
  pid: number;
  /** Of the embedded database, or `DATABASE_URL`. */
  databaseUrl: string;
  /** As the first admin. Closed with the server. */
  client: Client;
  /** Resolves when the process that runs now has ended, whoever ended it. */
  ended(): Promise<void>;
  /** Ends the process as a power cut would, and nothing else: its database is orphaned. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A CPU profile of the process, for `npm run bench`: set `POPPO_PROFILE_DIR`. */
export function profiling(): string[] {
  const folder = process.env.POPPO_PROFILE_DIR;
  return folder ? ["--cpu-prof", `--cpu-prof-dir=${folder}`] : [];
}

interface Ready {
  type: string;
  url: string;
  message?: string;
  database?: { host: string; port: number; user: string; password: string; database: string };
}

const urlOf = ({ host, port, user, password, database }: NonNullable<Ready["database"]>) =>
  `postgres://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;

export interface ProcessOptions {
  /** What Node itself is told, `--import` for example. */
  execArgv?: string[];
  /** A file descriptor for what the process writes; ours when absent. */
  output?: number;
}

/** A real server process with an embedded database (or `DATABASE_URL`) of its own, on a port of its own. */
export async function startServerProcess(
  env: Record<string, string> = {},
  { execArgv = [], output }: ProcessOptions = {},
): Promise<ServerProcess> {
  const home = await mkdtemp(join(tmpdir(), "poppo-scenario-"));
  let port = "0";
  let child: ChildProcess;

  const start = async () => {
    child = fork(bin, {
      env: {
        ...process.env,
        POPPO_DATA_DIR: home,
        POPPO_PORT: port,
        POPPO_ADMIN_TOKEN: ADMIN_TOKEN,
        POPPO_LOG_LEVEL: "warn",
        // Here one machine opens what a thousand would; scenarios about the limit set their own.
        POPPO_CONNECTIONS_PER_SECOND: "100000",
        ...env,
      },
      stdio: ["ignore", output ?? "inherit", output ?? "inherit", "ipc"],
      execArgv: [...profiling(), ...execArgv],
    });
    server.pid = child.pid!;
    const message = await firstMessage(child);
    if (message.type !== "ready") throw new Error(`the server did not start: ${message.message}`);
    port = new URL(message.url).port;
    server.url = message.url;
    server.databaseUrl = env.DATABASE_URL ?? urlOf(message.database!);
  };
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exitOf(child);
  };

  const server: ServerProcess = {
    url: "",
    pid: 0,
    databaseUrl: "",
    client: undefined as unknown as Client,
    start,
    ended: () => exitOf(child),
    kill9: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    async [Symbol.asyncDispose]() {
      await server.client?.close();
      await end("SIGTERM");
      await rm(home, { recursive: true, force: true });
    },
  };
  await start();
  server.client = createClient({ url: server.url, token: ADMIN_TOKEN });
  return server;
}

async function firstMessage(child: ChildProcess): Promise<Ready> {
  const tooEarly = new AbortController();
  const ended = exitOf(child, tooEarly.signal).then(() => ({ type: "ended", url: "", message: "it ended" }));
  try {
    return await Promise.race([once(child, "message").then(([message]) => message as Ready), ended]);
  } finally {
    tooEarly.abort();
  }
}

/** Resolves when the process has ended. */
export async function exitOf(child: ChildProcess, signal?: AbortSignal): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await once(child, "exit", { signal }).catch(() => {});
}
