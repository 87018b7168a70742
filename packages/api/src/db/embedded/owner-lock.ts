import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { link, readdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface OwnerLock {
  release(): Promise<void>;
}

/** The place is taken; `pid` is the living owner's, when it answered. */
export class AlreadyOwned extends Error {
  constructor(readonly pid: number | undefined) {
    super(`owned by process ${pid ?? "(unknown)"}`);
  }
}

/**
 * One owner per folder, for as long as its process lives: the owner listens on a unix socket, and the kernel closes that with the
 * process, however it ends. A pid in a file would be wrong after a reboot and in another container that mounts the same folder;
 * Node has no flock; an advisory lock in PostgreSQL needs a PostgreSQL that runs.
 *
 * A dead socket's file stays, and taking over by unlinking it would let two newcomers unlink each other. So each owner is
 * a generation: `owner.7` is taken over by creating `owner.8`, which `link` grants to exactly one, already listening.
 * The highest generation is never removed, or a slow newcomer could start to count again beside a living owner.
 */
export async function takeOwnership(folder: string): Promise<OwnerLock> {
  const own = join(folder, `new.${randomBytes(6).toString("hex")}`);
  const server = createServer((socket) => socket.on("error", () => {}).end(String(process.pid)));
  await once(server.listen(own).unref(), "listening");
  try {
    await becomeHighest(folder, own);
  } catch (error) {
    await close(server);
    throw error;
  }
  return { release: () => close(server) };
}

async function becomeHighest(folder: string, own: string): Promise<void> {
  const before = await generations(folder);
  const highest = before[0] ?? 0;
  if (highest) await refuseIfAlive(join(folder, `owner.${highest}`));
  const mine = join(folder, `owner.${highest + 1}`);
  try {
    await link(own, mine);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return becomeHighest(folder, own);
  }
  const [winner] = await generations(folder);
  if (winner !== highest + 1) {
    // Slept so long that others came and went, and our number was free again below theirs.
    await unlink(mine);
    return becomeHighest(folder, own);
  }
  await unlink(own);
  await Promise.all(before.map((generation) => unlink(join(folder, `owner.${generation}`)).catch(() => {})));
}

async function generations(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  const numbers = names.filter((name) => /^owner\.\d+$/.test(name)).map((name) => Number(name.slice("owner.".length)));
  return numbers.sort((a, b) => b - a);
}

async function refuseIfAlive(path: string): Promise<void> {
  const socket = connect(path).setTimeout(1_000, () => socket.destroy());
  try {
    await once(socket, "connect");
    // Whether or not it answers (it may be stopped in a debugger): who accepts a connection lives.
    throw new AlreadyOwned(Number(await text(socket).catch(() => "")) || undefined);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN") throw new AlreadyOwned(undefined);
    if (code !== "ECONNREFUSED" && code !== "ENOENT") throw error;
  } finally {
    socket.destroy();
  }
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}
