import { pino } from "pino";
import { databaseFolder, readConfig } from "./config.js";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./db/embedded/embedded-postgres.js";
import { AppError } from "./kernel/app-error.js";
import { startServer } from "./server.js";
import { version } from "./version.js";

/**
 * The server process. A parent that forked it hears `{ type: "ready", … }` or `{ type: "failed", code, message }`.
 * Exit codes: 0 stopped on request, 1 failed, 2 wrong configuration.
 */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = pino({ level: config.logLevel }, pino.destination(2));
  const stopRequested = new Promise<string>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(signal));
    process.once("disconnect", () => resolve("the parent is gone"));
  });
  let embedded: EmbeddedPostgres | undefined;
  if (!config.databaseUrl) {
    embedded = await startEmbeddedPostgres({
      dataDir: databaseFolder(config),
      log: (line, details) => log.debug(details ?? {}, line),
    });
  }
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
