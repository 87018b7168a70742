import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../kernel/app-error.js";
import { type Connection, connectionUrl, provideApplicationDatabase } from "./application-database.js";
import { findDistribution, provideBinaries } from "./binaries.js";
import { provideCluster } from "./cluster.js";
import { type Home, openHome } from "./home.js";
import { clearOrphan } from "./orphan.js";
import { AlreadyOwned, takeOwnership } from "./owner-lock.js";
import { type Postmaster, startPostmaster } from "./postmaster.js";
import { settingArguments } from "./settings.js";
import { Supervisor } from "./supervisor.js";

export interface EmbeddedPostgres {
  /** Connection options for node-postgres. */
  connection: Connection;
  url: string;
  /** Of the PostgreSQL that runs now; another one after a crash. */
  readonly pid: number;
  /** Fast shutdown. Resolves when PostgreSQL has ended and the data directory is free. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** The database is kept in its subfolder `postgres`. */
  dataDir: string;
  log(line: string, details?: object): void;
  /** PostgreSQL ended by itself; it is being started again. */
  onCrash?(error: Error): void;
  /** PostgreSQL settings over ours, such as `{ fsync: "off" }` in tests. */
  settings?: Record<string, string>;
  /** Aborting gives a start up; what was started is stopped. Without effect once the start is through. */
  signal?: AbortSignal;
}

/**
 * Runs a PostgreSQL of our own on `dataDir`, which has one owner at a time. Rejects when another living server owns it, when
 * another major version made it, or when PostgreSQL does not start; the message names the folder and what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, log, settings, signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  const { home, account } = await openHome(dataDir, log);
  const lock = await own(home, dataDir);
  try {
    const binaries = await provideBinaries(await findDistribution(), account);
    await clearOrphan(home, log);
    const password = await provideCluster(home, account, binaries, signal);
    const launch = (signal: AbortSignal) =>
      startPostmaster({
        executable: binaries.postgres,
        settings: settingArguments(home.sockets, settings),
        home,
        account,
        log: (line) => log(line, { source: "postgres" }),
        signal,
      });
    const first = await whenMemoryIsFree(launch, signal, log);
    const connection = await provideApplicationDatabase(home.sockets, password).catch(async (error) => {
      await first.stop();
      throw error;
    });
    log(`PostgreSQL ${binaries.version} runs as ${account.name} on ${home.data}`, { pid: first.pid });
    const supervisor = new Supervisor(first, launch, (error) => {
      log(error.message);
      options.onCrash?.(error);
    });
    return {
      connection,
      url: connectionUrl(connection),
      get pid() {
        return supervisor.pid;
      },
      stop: () => supervisor.stop().finally(() => lock.release()),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function own(home: Home, dataDir: string) {
  try {
    return await takeOwnership(home.sockets);
  } catch (error) {
    if (!(error instanceof AlreadyOwned)) throw error;
    throw new AppError(
      "CONFLICT",
      `Another Poppo Ops server (pid ${error.pid ?? "unknown"}) is using the database of ${dataDir}. Stop it, or give this one another POPPO_DATA_DIR.`,
    );
  }
}

/** When a PostgreSQL was killed, its backends finish their statements first, and hold the shared memory until then. */
async function whenMemoryIsFree(
  launch: (signal: AbortSignal) => Promise<Postmaster>,
  signal: AbortSignal,
  log: EmbeddedPostgresOptions["log"],
): Promise<Postmaster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(signal);
    } catch (error) {
      if (attempt === 60 || !(error as Error).message.includes("pre-existing shared memory block")) throw error;
      log("Statements of a PostgreSQL that was killed still run; waiting for them to end");
      await sleep(500, undefined, { signal });
    }
  }
}
