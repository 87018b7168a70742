import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import { migrate, migrationsFolder } from "../migrate.js";

/** Any number that only this file uses. */
const LOCK = 0x74656d706c;

/**
 * The name of a database with all migrations applied. The first caller makes it, and everybody else waits: test files run in parallel
 * processes. It gets its name when it is finished, so one that failed half-way is never cloned.
 */
export async function provideTemplate(client: pg.Client, urlOf: (database: string) => string): Promise<string> {
  const name = `template_${await migrationsHash()}`;
  if (await databaseExists(client, name)) return name;
  await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
  try {
    if (!(await databaseExists(client, name))) await build(client, name, urlOf);
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [LOCK]);
  }
  return name;
}

async function build(client: pg.Client, name: string, urlOf: (database: string) => string): Promise<void> {
  const unfinished = `${name}_unfinished`;
  await client.query(`DROP DATABASE IF EXISTS ${unfinished} WITH (FORCE)`);
  await client.query(`CREATE DATABASE ${unfinished}`);
  await migrate(urlOf(unfinished));
  await client.query(`ALTER DATABASE ${unfinished} RENAME TO ${name}`);
}

async function databaseExists(client: pg.Client, name: string): Promise<boolean> {
  const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1", [name]);
  return rowCount === 1;
}

async function migrationsHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(migrationsFolder)).sort()) {
    if (file.endsWith(".sql")) hash.update(file).update(await readFile(join(migrationsFolder, file)));
  }
  return hash.digest("hex").slice(0, 16);
}
