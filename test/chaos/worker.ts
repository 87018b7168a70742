import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Starts the service. $1: where it keeps its files, $2: the process it must not outlive. Who acts holds a lock that the
 * kernel takes back when the act ends, however it ends: so two acts at once are seen.
 */
const SCRIPT = `#!/bin/sh
exec 9>>"$1.lock"
flock -n 9 || echo "overlap $POPPO_COMMAND_ID" >>"$1.acts"
echo "begin $POPPO_COMMAND_ID" >>"$1.acts"
echo "starting $1"
while [ -e "$1.hold" ]; do sleep 0.2; done
sleep "$(cat "$1.takes")"
env -u POPPO_COMMAND_ID setsid tail --pid="$2" -f "$1.acts" >/dev/null 2>&1 9>&- &
echo $! >"$1.pid"
echo "started as $!"
echo "end $POPPO_COMMAND_ID" >>"$1.acts"
`;

const QUICK_S = 0.3;

export interface Acted {
  step: "begin" | "end" | "overlap";
  commandId: string;
}

/** A service of this host that `process.restart` starts. It writes down every command that was at work on it. */
export interface Worker extends AsyncDisposable {
  pidFile: string;
  /** What starts it. */
  command: string[];
  acts(): Promise<Acted[]>;
  /** The command that is at work on it now, by the lock that the kernel keeps for it. */
  acting(): Promise<string | undefined>;
  /** How long it takes to start it, from now on. */
  takes(seconds: number): Promise<void>;
  /** No act gets further than its beginning until `release`. */
  hold(): Promise<void>;
  release(): Promise<void>;
  /** Ends the service; false when it did not run. */
  kill(): Promise<boolean>;
}

export async function makeWorker(folder: string, name: string): Promise<Worker> {
  const path = join(folder, name);
  const script = join(folder, "worker.sh");
  await writeFile(script, SCRIPT);
  await writeFile(`${path}.acts`, "");
  await writeFile(`${path}.lock`, "");
  const takes = (seconds: number) => writeFile(`${path}.takes`, String(seconds));
  await takes(QUICK_S);
  const kill = async () => {
    const pid = Number(await readFile(`${path}.pid`, "utf8").catch(() => ""));
    const isOurs = pid > 0 && (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(path);
    if (isOurs) process.kill(pid, "SIGKILL");
    return isOurs;
  };
  const acts = async () => {
    const lines = (await readFile(`${path}.acts`, "utf8")).trim().split("\n").filter(Boolean);
    return lines.map((line) => {
      const [step, commandId] = line.split(" ");
      return { step, commandId } as Acted;
    });
  };
  // Asked of the kernel: who tried the lock would hold it for a moment, and an act that began then would see another one.
  const isLocked = async () => {
    const { ino } = await stat(`${path}.lock`);
    return (await readFile("/proc/locks", "utf8")).includes(`:${ino} `);
  };
  return {
    pidFile: `${path}.pid`,
    command: ["/bin/sh", script, path, String(process.pid)],
    acts,
    acting: async () =>
      (await isLocked()) ? (await acts()).findLast(({ step }) => step === "begin")?.commandId : undefined,
    takes,
    hold: () => writeFile(`${path}.hold`, ""),
    release: () => rm(`${path}.hold`, { force: true }),
    kill,
    // The service ends with this process in any case; one that lost its pid file to a crash only then.
    async [Symbol.asyncDispose]() {
      await kill();
    },
  };
}
