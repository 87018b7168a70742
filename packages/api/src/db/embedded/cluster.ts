import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chown, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Account } from "./account.js";
import type { Binaries } from "./binaries.js";
import type { Home } from "./home.js";

export const SUPERUSER = "postgres";

/** Makes the cluster when there is none, refuses one of another major version. Returns the password of its roles. */
export async function provideCluster(
  home: Home,
  account: Account,
  binaries: Binaries,
  signal: AbortSignal,
): Promise<string> {
  if (!(await isThere(home.data))) return initialise(home, account, binaries, signal);
  const major = await readFile(join(home.data, "PG_VERSION"), "utf8").then(
    (content) => content.trim(),
    (cause) => {
      throw new Error(`${home.data} is no PostgreSQL data directory, or not readable: ${cause.message}`, { cause });
    },
  );
  if (major === binaries.major) return readPassword(home);
  throw new Error(
    `The database in ${home.data} was made by PostgreSQL ${major}, and this release runs PostgreSQL ${binaries.major}. Take a backup with the release that made it and restore it into an empty POPPO_DATA_DIR, or set DATABASE_URL to a PostgreSQL ${major} server.`,
  );
}

/** Works in a folder of another name and renames it at the end, so that a cluster is there as a whole or not at all. */
async function initialise(home: Home, account: Account, binaries: Binaries, signal: AbortSignal): Promise<string> {
  const unfinished = `${home.data}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await chown(unfinished, account.uid, account.gid);
  const password = randomBytes(24).toString("base64url");
  await keepPassword(home.password, password);
  // initdb reads the password as the account, which must not read ours; the sockets' folder is the account's.
  const handover = join(home.sockets, "password");
  await writeFile(handover, password, { mode: 0o600 });
  try {
    await chown(handover, account.uid, account.gid);
    await initdb(binaries, account, [`--pgdata=${unfinished}`, `--pwfile=${handover}`], signal);
  } finally {
    await rm(handover, { force: true });
  }
  await rename(unfinished, home.data);
  await sync(home.path);
  return password;
}

async function initdb(binaries: Binaries, account: Account, where: string[], signal: AbortSignal): Promise<void> {
  const how = [
    "--auth=scram-sha-256",
    "--data-checksums",
    "--encoding=UTF8",
    "--no-instructions",
    `--username=${SUPERUSER}`,
  ];
  const locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  const child = spawn(binaries.initdb, [...where, ...how, ...locale], {
    ...asAccount(account),
    stdio: ["ignore", "ignore", "pipe"],
    signal,
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  const [complaint, code] = await Promise.all([text(child.stderr), ended]);
  if (code !== 0)
    throw new Error(`initdb could not make the database as ${account.name} (exit ${code}): ${complaint.trim()}`);
}

/** PG* variables of the caller would redirect our PostgreSQL, so it gets a clean environment. */
export function asAccount({ uid, gid }: Account): { uid: number; gid: number; cwd: string; env: NodeJS.ProcessEnv } {
  const { PATH, LD_LIBRARY_PATH } = process.env;
  return { uid, gid, cwd: "/", env: { PATH, LC_ALL: "C", TZ: "UTC", ...(LD_LIBRARY_PATH && { LD_LIBRARY_PATH }) } };
}

async function keepPassword(path: string, password: string): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, "wx", 0o600);
  await file.writeFile(password);
  await file.sync();
  await file.close();
}

async function readPassword(home: Home): Promise<string> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  try {
    return (await readFile(home.password, { encoding: "utf8", flag: flags })).trim();
  } catch (cause) {
    const message = `The password of the database cannot be read from ${home.password}: ${(cause as Error).message}. Start as the user that made it, or bring the file back from a backup.`;
    throw new Error(message, { cause });
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync();
  await handle.close();
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}
