import { chown, lstat, mkdir, mkdtemp, readlink, realpath, rm, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../kernel/app-error.js";
import { type Account, barrier, canEnter, chooseAccount, ourselves } from "./account.js";
import { claimFolder } from "./own-folder.js";

/** Where one database lives. `data` and `sockets` belong to the account; the folder and the password in it to us. */
export interface Home {
  path: string;
  /** PostgreSQL's own directory (PGDATA). */
  data: string;
  /** Short enough for the 107 bytes (103 on macOS) of a unix socket path. */
  sockets: string;
  password: string;
}

/** `<sockets>/.s.PGSQL.5432.lock` is the longest name in there. */
const LONGEST_SOCKET_FOLDER = 100 - "/.s.PGSQL.5432.lock".length;

/**
 * Opens `<dataDir>/postgres`. Where a place cannot serve, a symbolic link stands in it and leads to one that can: under a
 * directory the account cannot enter (root's 0700 home) the home itself is elsewhere, and under a long path the sockets are.
 * So the link *is* the record of where the data went: moving or deleting `dataDir` does what one expects.
 */
export async function openHome(
  dataDir: string,
  log: (line: string, details?: object) => void,
  elsewhere = "/var/lib/poppo-ops",
): Promise<{ home: Home; account: Account }> {
  await makeFolder(dataDir);
  const place = join(await realpath(dataDir), "postgres");
  const account = chooseAccount(ourselves(), await ownerOf(join(place, "data")));
  const path = await settle(place, account, elsewhere, log);
  const home = { path, data: join(path, "data"), password: join(path, "password") };
  return { home: { ...home, sockets: await socketFolder(path, account) }, account };
}

async function settle(
  place: string,
  account: Account,
  elsewhere: string,
  log: (line: string) => void,
): Promise<string> {
  if (!(await isTaken(place))) {
    if (canEnter(account, dirname(place))) await makeFolder(place);
    else await relocate(place, account, elsewhere, log);
  }
  const path = await realpath(place).catch(async (cause) => {
    const message = `The database was kept in ${await readlink(place)}, which is gone. Bring it back, or remove the link ${place} to begin with an empty database.`;
    throw new Error(message, { cause });
  });
  // Others may pass through to reach what is theirs, and read nothing.
  await claimFolder(path, 0o711, [ourselves().uid, account.uid]);
  if (!canEnter(account, path)) {
    throw new Error(
      `PostgreSQL runs as ${account.name}, which cannot enter ${barrier(account, path)} on the way to the database in ${path}. Allow it (chmod o+x), or set POPPO_DATA_DIR to another place.`,
    );
  }
  return path;
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause) => {
    throw new AppError("BAD_INPUT", `${path} cannot be made: ${cause.message}. Set POPPO_DATA_DIR to another place.`);
  });
}

async function relocate(
  place: string,
  account: Account,
  elsewhere: string,
  log: (line: string) => void,
): Promise<void> {
  await claimFolder(elsewhere, 0o711, [ourselves().uid]).catch((cause) => {
    const message = `PostgreSQL runs as ${account.name}, which cannot enter ${barrier(account, dirname(place))}, and the database cannot be kept in ${elsewhere} instead: ${cause.message}. Set POPPO_DATA_DIR to a place that ${account.name} can reach.`;
    throw new Error(message, { cause });
  });
  const slug = dirname(place).replaceAll("/", "-").slice(1, 40);
  const path = await mkdtemp(join(elsewhere, `${slug}-`));
  await symlink(path, place).catch(unlessThere);
  log(
    `PostgreSQL runs as ${account.name}, which cannot enter ${barrier(account, dirname(place))}. The database is in ${path}; ${place} links to it.`,
  );
}

async function socketFolder(home: string, account: Account): Promise<string> {
  const place = join(home, "sockets");
  const found = await realpath(place).catch(() => undefined);
  // Too long since the home was moved, or gone with a cleaned /tmp.
  if (found ? !fits(found) : await isTaken(place)) await rm(place, { recursive: true });
  if (!fits(place) && !(await isTaken(place))) {
    // A random name cannot be taken beforehand by another user of /tmp.
    await symlink(await mkdtemp("/tmp/poppo-ops-"), place).catch(unlessThere);
  }
  const path = await realpath(place).catch(() => place);
  await claimFolder(path, 0o700, [ourselves().uid, account.uid]);
  await chown(path, account.uid, account.gid);
  return path;
}

function fits(sockets: string): boolean {
  return Buffer.byteLength(sockets) <= LONGEST_SOCKET_FOLDER;
}

async function isTaken(place: string): Promise<boolean> {
  return Boolean(await lstat(place).catch(() => undefined));
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

async function ownerOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.uid;
}
