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

/** A real server process with an embedded database (or `DATABASE_URL`) of its own, on a port of its own. */
export async function startServerProcess(env: Record<string, string> = {}): Promise<ServerProcess> {
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
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      execArgv: profiling(),
    });
    const [message] = (await once(child, "message")) as [Ready];
    if (message.type !== "ready") throw new Error(`the server did not start: ${message.message}`);
    port = new URL(message.url).port;
    server.url = message.url;
    server.pid = child.pid!;
    server.databaseUrl = env.DATABASE_URL ?? urlOf(message.database!);
  };
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  };

  const server: ServerProcess = {
    url: "",
    pid: 0,
    databaseUrl: "",
    client: undefined as unknown as Client,
    start,
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
