import { chmod, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEmbeddedPostgres } from "@poppo-ops/api/dist/db/embedded/embedded-postgres.js";
import pg from "pg";
import { type TcpRelay, tcpRelay } from "../harness/tcp-relay.js";

type Row = Record<string, never>;

/** The PostgreSQL of a run: the servers reach it through relays, the checker by its own door. */
export interface ChaosDatabase extends AsyncDisposable {
  /** Another way to it, and the connection string that goes that way. */
  relay(): Promise<TcpRelay & { url: string }>;
  /** Waits for a database that is just coming back. */
  query<Result extends object = Row>(text: string, values?: unknown[]): Promise<Result[]>;
  /** Ends the postmaster as a crash would; its supervisor starts it again. */
  kill9(): void;
  /** Process ids of the postmaster and of everything it has started. */
  processes(): Promise<number[]>;
}

const RETRY_MS = 100;
const BACK_WITHIN_MS = 60_000;

export async function startChaosDatabase(folder: string): Promise<ChaosDatabase> {
  await mkdir(folder);
  await chmod(folder, 0o755);
  // Processes die here and machines do not: what was handed to the kernel stays.
  const settings = { fsync: "off", max_connections: "100" };
  const postgres = await startEmbeddedPostgres({ dataDir: folder, log: () => {}, settings });
  const { host, port, user, password, database } = postgres.connection;
  const relays: TcpRelay[] = [];
  const pool = new pg.Pool({ ...postgres.connection, max: 4 });
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));

  return {
    async relay() {
      const relay = await tcpRelay({ path: join(host, `.s.PGSQL.${port}`) });
      relays.push(relay);
      const url = `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${relay.port}/${database}`;
      return Object.assign(relay, { url });
    },
    async query<Result extends object>(text: string, values: unknown[] = []) {
      const deadline = performance.now() + BACK_WITHIN_MS;
      for (;;) {
        try {
          return (await pool.query<Result>(text, values)).rows;
        } catch (error) {
          const isOurs = /^(22|23|42|2B)/.test((error as { code?: string }).code ?? "");
          if (isOurs || performance.now() > deadline) throw error;
          await sleep(RETRY_MS);
        }
      }
    },
    kill9() {
      try {
        process.kill(postgres.pid, "SIGKILL");
      } catch {
        // It is dead already, and not yet started again.
      }
    },
    processes: () => withChildren(postgres.pid),
    async [Symbol.asyncDispose]() {
      await pool.end();
      for (const relay of relays) await relay[Symbol.asyncDispose]();
      await postgres.stop();
    },
  };
}

async function withChildren(parent: number): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")));
  const children = pids.filter(
    (_, i) => Number(stats[i]!.slice(stats[i]!.lastIndexOf(")") + 2).split(" ")[1]) === parent,
  );
  return [parent, ...children.map(Number)];
}
