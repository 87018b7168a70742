import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

/** A real PostgreSQL server for tests: superuser `postgres`, password `secret`, on loopback and on a socket in `folder`. */
export interface Cluster {
  port: number;
  folder: string;
  /** A smart shutdown: waits for the sessions to end and refuses new ones with 57P03. */
  shutDownSmartly(): void;
  stop(): Promise<void>;
}

/** The folder of `initdb` and `postgres`, asked of `pg_config`; undefined when PostgreSQL is not installed. */
export async function findBinaries(): Promise<string | undefined> {
  const folder = await execa("pg_config", ["--bindir"], { reject: false });
  const candidates = [
    folder.stdout,
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
  ];
  for (const candidate of candidates)
    if (candidate && (await execa(join(candidate, "postgres"), ["--version"], { reject: false })).exitCode === 0)
      return candidate;
  return undefined;
}

export async function startCluster(binaries: string, settings: Record<string, string>): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "poppo-postgres-"));
  const owner = await unprivilegedOwner();
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, "secret");
  await chmod(folder, 0o700);
  if (owner.uid !== undefined)
    await Promise.all([folder, passwordFile].map((path) => chown(path, owner.uid, owner.gid)));
  const data = join(folder, "data");
  const initdb = ["-D", data, "-U", "postgres", "-A", "scram-sha-256", "--no-sync", "--pwfile", passwordFile];
  await execa(join(binaries, "initdb"), initdb, { ...owner, cwd: folder });

  const port = await freePort();
  const all = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: folder,
    fsync: "off",
    ...settings,
  };
  const options = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = spawn(join(binaries, "postgres"), ["-D", data, ...options], {
    ...owner,
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  await isReady(server);
  return {
    port,
    folder,
    shutDownSmartly: () => void server.kill("SIGTERM"),
    async stop() {
      if (server.exitCode === null && server.signalCode === null) {
        server.kill("SIGINT");
        await once(server, "exit");
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function isReady(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    server.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-4000);
      if (log.includes("ready to accept connections")) resolve();
    });
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`postgres ended with ${code} before it was ready:\n${log}`)));
  });
}

/** PostgreSQL refuses to run as root. */
async function unprivilegedOwner(): Promise<{ uid: number; gid: number } | { uid?: undefined; gid?: undefined }> {
  if (process.getuid?.() !== 0) return {};
  const ask = async (flag: string) => Number((await execa("id", [flag, "postgres"])).stdout);
  return { uid: await ask("-u"), gid: await ask("-g") };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
