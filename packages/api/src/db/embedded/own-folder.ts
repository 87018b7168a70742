import { chmod, lstat, mkdir } from "node:fs/promises";

/**
 * Makes the folder, or checks that the one which stands there belongs to one of `owners`: a name in /tmp can be taken by
 * anybody, and we are about to trust what lies in it.
 */
export async function claimFolder(path: string, mode: number, owners: number[]): Promise<void> {
  await mkdir(path, { recursive: true });
  const found = await lstat(path);
  if (!found.isDirectory()) throw new Error(`${path} is not a directory; remove it and start again.`);
  if (!owners.includes(found.uid)) {
    throw new Error(
      `${path} belongs to uid ${found.uid}, not to uid ${owners.join(" or ")}; start as its owner, or remove it.`,
    );
  }
  if ((found.mode & 0o777) !== mode) await chmod(path, mode);
}
