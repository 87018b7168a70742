import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { type Account, canEnter, chooseAccount, ourselves } from "./account.js";
import { findDistribution, provideBinaries } from "./binaries.js";
import { asAccount } from "./cluster.js";
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded-postgres.js";
import { installServer, startServer, temporaryFolder } from "./fixtures/server-process.js";
import { openHome } from "./home.js";
import { settingArguments } from "./settings.js";

const isRoot = ourselves().uid === 0;
const PATIENCE = { timeout: 20_000, interval: 20 };
let shared: Awaited<ReturnType<typeof temporaryFolder>>;
let program: string;

beforeAll(async () => {
  shared = await temporaryFolder();
  program = await installServer(join(shared.path, "server"));
  const postgres = await startEmbeddedPostgres({ dataDir: join(shared.path, "database"), log: () => {} });
  await postgres.stop();
});
afterAll(() => shared[Symbol.asyncDispose]());

async function newDataDir(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

/** A data directory with a database that was stopped in order. */
async function usedDataDir(): Promise<string> {
  const dataDir = join(await newDataDir(), "data");
  await promisify(execFile)("cp", ["-a", join(shared.path, "database"), dataDir]);
  return dataDir;
}

async function start(dataDir: string, options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => {}, ...options });
  onTestFinished(() => postgres.stop());
  return postgres;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query({ text: sql, rowMode: "array" });
    return rows.flat();
  } finally {
    await client.end();
  }
}

const remember = (url: string, word: string) => query(url, `CREATE TABLE memory AS SELECT '${word}' AS word`);
const memory = (url: string) => query(url, "SELECT word FROM memory ORDER BY word");

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("what was stored is there after a stop and a start", async () => {
  const dataDir = await newDataDir();
  const first = await start(dataDir);
  await remember(first.url, "kept");
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);
  const second = await start(dataDir);
  expect(await memory(second.url)).toEqual(["kept"]);
});

test("it is durable, checked, in UTF-8, on no network, and the server's role is no superuser", async () => {
  const postgres = await start(await newDataDir());
  const settings = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "data_checksums",
    "server_encoding",
    "listen_addresses",
  ];
  const shown = await query(postgres.url, `SELECT ${settings.map((name) => `current_setting('${name}')`).join(", ")}`);
  expect(shown).toEqual(["on", "on", "on", "on", "UTF8", ""]);
  expect(await query(postgres.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).toEqual([false]);
});

test("the connection needs the password, and the password is for our eyes only", async () => {
  const dataDir = await usedDataDir();
  const postgres = await start(dataDir);
  const wrong = new pg.Client({ ...postgres.connection, password: "wrong" });
  await expect(wrong.connect()).rejects.toThrow(/password authentication failed/);
  expect((await stat(join(dataDir, "postgres/password"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(dataDir, "postgres/sockets"))).mode & 0o777).toBe(0o700);
});

test("a second server on the same directory is refused with the owner's pid and the directory", async () => {
  const dataDir = await usedDataDir();
  const first = await start(dataDir);
  await expect(start(dataDir)).rejects.toThrow(new RegExp(`pid ${process.pid}.*${dataDir}.*POPPO_DATA_DIR`));
  expect(await query(first.url, "SELECT 1")).toEqual([1]);
});

test("of servers that start at the same moment exactly one gets the directory", async () => {
  const dataDir = await newDataDir();
  const outcomes = await Promise.allSettled([start(dataDir), start(dataDir), start(dataDir)]);
  expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
});

test("after kill -9 of PostgreSQL it is running again, with the data, and the crash is reported", async () => {
  const onCrash = vi.fn<(error: Error) => void>();
  const postgres = await start(await usedDataDir(), { onCrash });
  await remember(postgres.url, "kept");
  const killed = postgres.pid;
  process.kill(killed, "SIGKILL");
  await vi.waitFor(async () => expect(await memory(postgres.url)).toEqual(["kept"]), PATIENCE);
  await vi.waitFor(() => expect(postgres.pid).not.toBe(killed), PATIENCE);
  expect(onCrash.mock.calls[0]?.[0].message).toMatch(/SIGKILL/);
});

test("stop during the restart after a crash leaves nothing running", async () => {
  const dataDir = await usedDataDir();
  const onCrash = vi.fn();
  const postgres = await start(dataDir, { onCrash });
  process.kill(postgres.pid, "SIGKILL");
  await vi.waitFor(() => expect(onCrash).toHaveBeenCalled(), PATIENCE);
  await postgres.stop();
  const again = await start(dataDir);
  expect(await query(again.url, "SELECT 1")).toEqual([1]);
});

test("after kill -9 of the server its PostgreSQL ends by itself", async () => {
  const server = await startServer(program, await usedDataDir());
  onTestFinished(() => void (isAlive(server.postgresPid) && process.kill(server.postgresPid, "SIGQUIT")));
  await server.kill();
  await vi.waitFor(() => expect(isAlive(server.postgresPid)).toBe(false), PATIENCE);
});

test("after kill -9 of the server the next start needs no help and has the data", async () => {
  const dataDir = await usedDataDir();
  const server = await startServer(program, dataDir);
  await remember(server.url, "kept");
  await server.kill();
  const next = await start(dataDir);
  expect(await memory(next.url)).toEqual(["kept"]);
});

test("after kill -9 of the server and its PostgreSQL, with a statement still running, the next start has the data", async () => {
  const dataDir = await usedDataDir();
  const server = await startServer(program, dataDir);
  await remember(server.url, "kept");
  const busy = query(server.url, "SELECT count(*) FROM generate_series(1, 5000000)").catch(() => {});
  await vi.waitFor(async () => {
    const running =
      "SELECT count(*)::int FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series%'";
    expect(await query(server.url, running)).toEqual([2]);
  }, PATIENCE);
  process.kill(server.postgresPid, "SIGKILL");
  await server.kill();
  const next = await start(dataDir);
  expect(await memory(next.url)).toEqual(["kept"]);
  await busy;
});

test("a PostgreSQL that outlived its server is stopped, not fought with", async () => {
  const dataDir = await usedDataDir();
  const { orphan } = await leaveOrphan(dataDir);
  const log = vi.fn<(line: string) => void>();
  const next = await start(dataDir, { log });
  expect(log).toHaveBeenCalledWith(expect.stringContaining(`(pid ${orphan.pid}) has outlived`));
  expect(next.pid).not.toBe(orphan.pid);
  expect(await memory(next.url)).toEqual(["orphaned"]);
});

test("a PostgreSQL that answers but cannot be seen, as in another container, is left alone and named", async () => {
  const dataDir = await usedDataDir();
  const { orphan } = await leaveOrphan(dataDir);
  const pidFile = join(dataDir, "postgres/data/postmaster.pid");
  const content = await readFile(pidFile, "utf8");
  await writeFile(pidFile, content.replace(/^\d+/, "4194305"));
  await expect(start(dataDir)).rejects.toThrow(/cannot see.*postgres\/data/);
  expect(isAlive(orphan.pid!)).toBe(true);
});

/** A PostgreSQL on the directory that has no supervisor and no watchdog. */
async function leaveOrphan(dataDir: string) {
  const first = await start(dataDir);
  await first.stop();
  const { home, account } = await openHome(dataDir, () => {});
  const { postgres } = await provideBinaries(await findDistribution(), account);
  const orphan = spawn(postgres, ["-D", home.data, ...settingArguments(home.sockets)], {
    ...asAccount(account),
    stdio: "ignore",
  });
  const gone = once(orphan, "exit");
  onTestFinished(async () => {
    orphan.kill("SIGINT");
    await gone;
  });
  await vi.waitFor(() => remember(first.url, "orphaned"), PATIENCE);
  return { orphan };
}

test("a left-over postmaster.pid whose number is another process's by now does not keep it from starting", async () => {
  const dataDir = await usedDataDir();
  const first = await start(dataDir);
  const pidFile = join(dataDir, "postgres/data/postmaster.pid");
  const content = await readFile(pidFile, "utf8");
  await first.stop();
  const { uid, gid } = await stat(join(dataDir, "postgres/data"));
  const other = spawn("/bin/sh", ["-c", "read -r _"], { uid, gid, stdio: ["pipe", "ignore", "ignore"] });
  onTestFinished(() => void other.kill());
  await once(other, "spawn");
  await writeFile(pidFile, content.replace(/^\d+/, String(other.pid)));
  const next = await start(dataDir);
  expect(await query(next.url, "SELECT 1")).toEqual([1]);
  expect(isAlive(other.pid!)).toBe(true);
});

test("a first start that was cut off half-way is begun anew", async () => {
  const dataDir = await newDataDir();
  await mkdir(join(dataDir, "postgres/data.unfinished/base"), { recursive: true });
  const postgres = await start(dataDir);
  expect(await query(postgres.url, "SELECT 1")).toEqual([1]);
});

test("an aborted start rejects, leaves nothing running, and can be tried again", async () => {
  const dataDir = await newDataDir();
  const abort = new AbortController();
  const log = (line: string) => line.includes("starting PostgreSQL") && abort.abort(new Error("changed my mind"));
  await expect(start(dataDir, { log, signal: abort.signal })).rejects.toThrow("changed my mind");
  const postgres = await start(dataDir);
  expect(await query(postgres.url, "SELECT 1")).toEqual([1]);
});

test("a path longer than a socket's may be works, again and again", async () => {
  const dataDir = join(await newDataDir(), "long".repeat(30), "longer".repeat(20));
  const first = await start(dataDir);
  await remember(first.url, "kept");
  const sockets = await readlink(join(dataDir, "postgres/sockets"));
  onTestFinished(() => rm(sockets, { recursive: true, force: true }));
  await expect(start(dataDir)).rejects.toThrow(/Another Poppo Ops server/);
  await first.stop();
  const second = await start(dataDir);
  expect(await memory(second.url)).toEqual(["kept"]);
  expect(await readlink(join(dataDir, "postgres/sockets"))).toBe(sockets);
});

test("a database that was moved to a longer path, and whose sockets were cleaned out of /tmp, starts again", async () => {
  const dataDir = await usedDataDir();
  await (await start(dataDir)).stop();
  const moved = join(await newDataDir(), "long".repeat(30));
  await rename(dataDir, moved);
  for (let round = 0; round < 2; round++) {
    const postgres = await start(moved);
    expect(await query(postgres.url, "SELECT 1")).toEqual([1]);
    await postgres.stop();
    await rm(await readlink(join(moved, "postgres/sockets")), { recursive: true });
  }
});

test("a path with spaces, commas and quotes works", async () => {
  const dataDir = join(await newDataDir(), `it's "a, b" $HOME`);
  const postgres = await start(dataDir);
  expect(await query(postgres.url, "SELECT 1")).toEqual([1]);
});

test("a directory made by another major version is refused with both versions", async () => {
  const dataDir = await usedDataDir();
  await writeFile(join(dataDir, "postgres/data/PG_VERSION"), "17\n");
  await expect(start(dataDir)).rejects.toThrow(/made by PostgreSQL 17.*runs PostgreSQL 18/);
});

test("a database whose password file is lost is refused, not made anew", async () => {
  const dataDir = await usedDataDir();
  await rm(join(dataDir, "postgres/password"));
  await expect(start(dataDir)).rejects.toThrow(/password of the database cannot be read from .*postgres\/password/);
});

test("a setting PostgreSQL refuses is named in the error", async () => {
  await expect(start(await newDataDir(), { settings: { max_connections: "many" } })).rejects.toThrow(
    /max_connections.*many/,
  );
});

test("a home whose link leads nowhere is refused, so that data on a missing disk is not forgotten", async () => {
  const dataDir = await newDataDir();
  await symlink(join(dataDir, "unmounted"), join(dataDir, "postgres"));
  await expect(start(dataDir)).rejects.toThrow(/unmounted, which is gone/);
});

test.runIf(isRoot)("as root, PostgreSQL runs as a user without privileges", async () => {
  const postgres = await start(await newDataDir());
  const { uid } = await stat(`/proc/${postgres.pid}`);
  expect(uid).not.toBe(0);
});

test.runIf(isRoot)("as root, a data directory that user cannot reach links to a database that it can", async () => {
  const folder = await newDataDir();
  const closed = join(folder, "root-only");
  const dataDir = join(closed, "data");
  const log = vi.fn<(line: string) => void>();
  await mkdir(closed);
  await chmod(closed, 0o700);
  const { home } = await openHome(dataDir, log, join(folder, "elsewhere"));
  onTestFinished(() => rm(home.sockets, { recursive: true, force: true }));
  expect(log).toHaveBeenCalledWith(expect.stringContaining(`cannot enter ${closed}. The database is in ${home.path}`));
  expect(await readlink(join(dataDir, "postgres"))).toBe(home.path);
  const first = await start(dataDir);
  await remember(first.url, "kept");
  await first.stop();
  expect(await memory((await start(dataDir)).url)).toEqual(["kept"]);
});

test.runIf(isRoot)(
  "as root, a database that became unreachable is refused with the directory that is in the way",
  async () => {
    const folder = await usedDataDir();
    const dataDir = join(folder, "moved/data");
    const first = await start(dataDir);
    await first.stop();
    await chmod(join(folder, "moved"), 0o700);
    await expect(start(dataDir)).rejects.toThrow(new RegExp(`cannot enter ${folder}/moved on the way`));
  },
);

test.runIf(isRoot)(
  "a user without privileges runs it too, with the package in a folder only root may write",
  async ({ skip }) => {
    const nobody: Account = { ...chooseAccount(ourselves()), name: "an unprivileged user" };
    if (!canEnter(nobody, process.execPath.replace(/\/[^/]*$/, "")) && !process.env.CI)
      skip("no other user can run this node");
    const dataDir = await newDataDir();
    await chown(dataDir, nobody.uid, nobody.gid);
    const server = await startServer(program, dataDir, nobody);
    onTestFinished(() => server.stop());
    expect(server.uid).toBe(nobody.uid);
    await remember(server.url, "kept");
    await server.kill();
    const next = await startServer(program, dataDir, nobody);
    onTestFinished(() => next.stop());
    expect(await memory(next.url)).toEqual(["kept"]);
    await next.stop();
    // And what a user began, root continues as that user.
    const asRoot = await start(dataDir);
    expect(await memory(asRoot.url)).toEqual(["kept"]);
  },
);
