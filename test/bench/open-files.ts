import { readFile } from "node:fs/promises";

/** Beside the sockets: libraries, pipes, the database. */
const OTHERS = 200;

/** Node raises its soft limit to the hard one by itself. @throws when that is too low for so many sockets */
export async function needOpenFiles(sockets: number): Promise<void> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1];
  if (hard && Number(hard) < sockets + OTHERS)
    throw new Error(
      `${sockets} sockets need ${sockets + OTHERS} open files and the limit is ${hard}; raise it (ulimit -n)`,
    );
}
