import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is gone at the end of the `using` block. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "poppo-agent-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A file system of `size` bytes inside `folder`. `undefined` when we may not mount one; an error where CI is set. */
export function tinyDisk(folder: string, size: string): ({ path: string } & Disposable) | undefined {
  const path = join(folder, "tiny");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path], { stdio: "pipe" });
  } catch (error) {
    if (process.env.CI) throw error;
    return undefined;
  }
  // Lazy, because what the test opened may still be open.
  return { path, [Symbol.dispose]: () => void execFileSync("umount", ["-l", path]) };
}
