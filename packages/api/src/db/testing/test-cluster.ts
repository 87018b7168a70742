import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../embedded/embedded-postgres.js";
import { takeOwnership } from "../embedded/owner-lock.js";

/** The connection string of the server on which tests make their databases. Set before the run, it is used instead of ours. */
export const TEST_POSTGRES = "POPPO_TEST_POSTGRES";

/** Short, for the sockets, and open to the account that runs PostgreSQL when we are root. */
const PARENT = "/tmp";
const PREFIX = "poppo-ops-test-";

/**
 * Tests lose nothing when the machine loses power. No autovacuum: its worker is the superuser's, and a database in which one
 * is at work could not be dropped by force.
 */
const FAST = {
  autovacuum: "off",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: "200",
};

/** Starts one PostgreSQL for a test run and publishes it to the test processes. Returns what ends and removes it. */
export async function startTestCluster(): Promise<() => Promise<void>> {
  if (process.env[TEST_POSTGRES]) return async () => {};
  await removeAbandoned();
  const dataDir = await mkdtemp(join(PARENT, PREFIX));
  await chmod(dataDir, 0o755);
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => {}, settings: FAST }).catch(async (error) => {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  });
  process.env[TEST_POSTGRES] = postgres.url;
  return async () => {
    delete process.env[TEST_POSTGRES];
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}

/** A run that was killed leaves its folder: one that had an owner, and has none now. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(PARENT)) {
    const sockets = join(PARENT, name, "postgres/sockets");
    if (!name.startsWith(PREFIX) || !(await hadOwner(sockets))) continue;
    const lock = await takeOwnership(sockets).catch(() => undefined);
    if (!lock) continue;
    await rm(join(PARENT, name), { recursive: true, force: true });
    await lock.release();
  }
}

async function hadOwner(sockets: string): Promise<boolean> {
  const names = await readdir(sockets).catch(() => []);
  return names.some((name) => name.startsWith("owner."));
}
