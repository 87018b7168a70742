import type { Logger } from "pino";
import { type Config, readConfig } from "./config.js";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./db/embedded/embedded-postgres.js";
import { AppError } from "./kernel/app-error.js";
import { createLog } from "./log.js";
import { startServer } from "./server.js";
import { version } from "./version.js";

/**
 * The server process. A parent that forked it hears `{ type: "ready", … }` or `{ type: "failed", code, message }`.
 * Exit codes: 0 stopped on request, 1 failed, 2 wrong configuration.
 */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const stopping = new AbortController();
  const stopRequested = new Promise<string>((resolve) => {
    const stop = (reason: string) => {
      stopping.abort();
      resolve(reason);
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop(signal));
    process.once("disconnect", () => stop("the parent is gone"));
  });
  const embedded = config.databaseUrl ? undefined : await startDatabase(config, log, stopping.signal);
  try {
    const server = await startServer({ ...config, databaseUrl: config.databaseUrl ?? embedded!.url, log, version });
    log.info({ url: server.url }, "ready");
    process.send?.({
      type: "ready",
      url: server.url,
      version,
      dataDir: config.dataDir,
      firstRunToken: config.adminToken ? undefined : server.firstToken,
      database: embedded?.connection,
    });
    if (!process.send && server.firstToken && !config.adminToken) {
      process.stdout.write(`Admin token, shown this once: ${server.firstToken}\n`);
    }
    log.info({ reason: await stopRequested }, "stopping");
    await server.stop();
  } finally {
    await embedded?.stop();
  }
}

/** PostgreSQL's own lines are for debugging; where the data is and what was repaired is for everybody. */
function startDatabase(config: Config, log: Logger, signal: AbortSignal): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({
    dataDir: config.dataDir,
    signal,
    log: (line, details: { source?: string } = {}) =>
      details.source === "postgres" ? log.debug(details, line) : log.info(details, line),
    onCrash: (error) => log.error({ err: error }, "PostgreSQL ended unexpectedly; it is started again"),
  });
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const expected = error instanceof AppError;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`poppo-ops-server: ${message}\n${expected ? "" : `${(error as Error).stack}\n`}`);
    const exit = () => process.exit(expected && error.code === "BAD_INPUT" ? 2 : 1);
    if (process.send) process.send({ type: "failed", code: expected ? error.code : "INTERNAL", message }, exit);
    else exit();
  },
);
