import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as applyMigrations } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import { AppError } from "../kernel/app-error.js";

export const migrationsFolder = fileURLToPath(new URL("../../migrations", import.meta.url));

/** Any number that no other program of this database uses: "poppo" in ASCII. */
const LOCK = 0x706f70706f;

/**
 * Brings the schema up to date. Safe when several replicas start at once: drizzle's `migrate` takes no lock, so ours is
 * a session lock on the one connection that migrates.
 * @throws {AppError} UNAVAILABLE when the database cannot be reached or refuses us
 */
export async function migrate(connection: string | pg.ClientConfig): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect().catch((cause: Error) => {
    const where = `The database "${client.database}" at ${client.host}:${client.port}`;
    throw new AppError("UNAVAILABLE", `${where} cannot be used: ${cause.message}. Check DATABASE_URL.`);
  });
  try {
    await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
    await applyMigrations(drizzle(client), { migrationsFolder });
  } finally {
    await client.end();
  }
}
