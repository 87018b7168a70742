import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Which server, and with what. Only the owner can read the file. */
export interface Credentials {
  url: string;
  token: string;
}

export const credentialsPath = (dataDir: string): string => join(dataDir, "credentials.json");

/** Where credentials may be: the data folder named, else the one here, else the one of the user. */
const credentialFolders = ({ POPPO_DATA_DIR: dataDir }: NodeJS.ProcessEnv): string[] =>
  dataDir ? [resolve(dataDir.replace(/^~(?=$|\/)/, homedir()))] : [resolve(".poppo"), join(homedir(), ".poppo")];

/** @throws when a file is there but cannot be read or understood: silence would look like a wrong token */
export async function readCredentials(env: NodeJS.ProcessEnv): Promise<Partial<Credentials>> {
  for (const folder of credentialFolders(env)) {
    const path = credentialsPath(folder);
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw new Error(`Cannot read ${path}: ${error.message}`);
    });
    if (text === undefined) continue;
    try {
      return JSON.parse(text) as Partial<Credentials>;
    } catch {
      throw new Error(`${path} is not JSON; delete it, or write {"url": …, "token": …}`);
    }
  }
  return {};
}

/** Whole or not at all, and never readable by others in between. */
export async function writeCredentials(dataDir: string, credentials: Credentials): Promise<string> {
  const path = credentialsPath(dataDir);
  const draft = `${path}.${process.pid}`;
  await mkdir(dataDir, { recursive: true });
  await writeFile(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, path);
  return path;
}
