import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { provideTemplate } from "./template.js";
import { TEST_POSTGRES } from "./test-cluster.js";

export interface TestDatabase extends AsyncDisposable {
  url: string;
  /** The same as options for node-postgres. */
  connection: { connectionString: string };
}

/**
 * An empty database with the current schema, cloned from a template; dropped on dispose. Dispose rejects when a connection
 * is still open then: a pool that a test leaks would fail some other test, at some other time.
 */
export async function testDatabase(): Promise<TestDatabase> {
  const server = process.env[TEST_POSTGRES];
  if (!server) {
    throw new Error(
      `There is no PostgreSQL for tests: ${TEST_POSTGRES} is not set. Run through vitest, whose global setup test/setup/postgres.ts starts one, or set it to the URL of a server whose user may create databases.`,
    );
  }
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await withClient(server, async (client) => {
    const template = await provideTemplate(client, (database) => urlOf(server, database));
    // 20 ms; the default strategy writes every page to the log as well and takes 120.
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`);
  });
  const url = urlOf(server, name);
  return { url, connection: { connectionString: url }, [Symbol.asyncDispose]: () => drop(server, name) };
}

async function drop(server: string, name: string): Promise<void> {
  await withClient(server, async (client) => {
    const leaked = await openConnections(client, name);
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    if (leaked.length)
      throw new Error(
        `The test left ${leaked.length} connection(s) open; the last statements were: ${leaked.join(" / ")}`,
      );
  });
}

/** A client that has ended is gone from the server a moment later, so only what stays for two seconds counts. */
async function openConnections(client: pg.Client, name: string): Promise<string[]> {
  for (let attempt = 0; ; attempt++) {
    const { rows } = await client.query<{ query: string }>("SELECT query FROM pg_stat_activity WHERE datname = $1", [
      name,
    ]);
    if (rows.length === 0 || attempt === 100) return rows.map((row) => row.query || "(none)");
    await sleep(20);
  }
}

async function withClient<T>(server: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(server);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}
