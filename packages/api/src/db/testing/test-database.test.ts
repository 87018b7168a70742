import pg from "pg";
import { expect, test } from "vitest";
import { TEST_POSTGRES } from "./test-cluster.js";
import { testDatabase } from "./test-database.js";

async function connect(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client(url);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

test("a test database has the current schema and nothing of another test database", async () => {
  await using first = await testDatabase();
  await using second = await testDatabase();
  await using a = await connect(first.url);
  await using b = await connect(second.url);
  await a.query("CREATE TABLE only_here ()");
  const tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
  const names = (await b.query(tables)).rows.map((row) => row.tablename);
  expect(names).not.toContain("only_here");
  expect(names.length).toBeGreaterThan(0);
});

test("many test databases can be asked for at once", async () => {
  const databases = await Promise.all(Array.from({ length: 4 }, () => testDatabase()));
  expect(new Set(databases.map((database) => database.url)).size).toBe(4);
  await Promise.all(databases.map((database) => database[Symbol.asyncDispose]()));
});

test("a disposed test database is gone", async () => {
  const database = await testDatabase();
  await database[Symbol.asyncDispose]();
  await expect(connect(database.url)).rejects.toThrow(/does not exist/);
});

test("a connection that the test forgot is reported with its last statement, and the database is dropped all the same", async () => {
  const database = await testDatabase();
  const forgotten = await connect(database.url);
  forgotten.on("error", () => {});
  await forgotten.query("SELECT 'forgotten'");
  await expect(database[Symbol.asyncDispose]()).rejects.toThrow(/1 connection.*SELECT 'forgotten'/);
  await expect(connect(database.url)).rejects.toThrow(/does not exist/);
});

test("without the global setup the error says what to do", async () => {
  const server = process.env[TEST_POSTGRES];
  delete process.env[TEST_POSTGRES];
  try {
    await expect(testDatabase()).rejects.toThrow(/test\/setup\/postgres\.ts/);
  } finally {
    process.env[TEST_POSTGRES] = server;
  }
});
