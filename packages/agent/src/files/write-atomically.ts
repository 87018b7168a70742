import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Replaces `path` so that a crash at any moment leaves the old text or the new one, never a part.
 * `durable` (default) also survives power loss; without it a power loss may bring the old text back.
 */
export function writeAtomically(path: string, text: string, { mode = 0o600, durable = true } = {}): void {
  const temporary = `${path}.tmp`;
  try {
    const fd = openSync(temporary, "w", mode);
    try {
      writeSync(fd, text);
      if (durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (durable) syncFolder(dirname(path));
}

/** Makes a created, renamed or deleted name in `folder` survive power loss. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
