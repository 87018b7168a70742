import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants } from "node:fs/promises";
import { constants as system } from "node:os";
import { delimiter, resolve } from "node:path";
import { loginEnvironment } from "@poppo-ops/plugins";
import { type Clock, within } from "../clock.js";
import { COMMAND_VARIABLE, type Graces, groupOf, type ProcessGroup, stopGroup } from "./process-group.js";

export interface RunProcessOptions {
  argv: readonly [string, ...string[]];
  cwd?: string;
  env?: Record<string, string>;
  commandId: string;
  signal: AbortSignal;
  clock: Clock;
  graces: Graces;
  /** Called before the program begins: what it records can be relied on by whoever cleans up after a crash. */
  onStart(group: ProcessGroup): void;
  onOutput(stream: "stdout" | "stderr", data: Buffer): void;
}

/** A daemon the process has left behind may hold its output open for ever. */
const OUTPUT_GRACE_MS = 200;
/**
 * Holds the program back until its group is recorded, in the process that becomes the program. When we die first, the
 * read fails and nothing has run; a program started at once would go on as nobody's, beside the next act on its target.
 */
const GATE = 'read -r _ && exec "$@" </dev/null';

/**
 * Runs `argv` (never a shell) in a process group of its own. On abort the whole group is stopped first, INT → TERM →
 * KILL; then this rejects with the signal's reason. A signal that ended the process gives 128 + its number.
 * @throws when the program cannot be started
 */
export async function runProcess(options: RunProcessOptions): Promise<{ exitCode: number }> {
  options.signal.throwIfAborted();
  const { argv, clock, signal } = options;
  const child = await start(options);
  const group = groupOf(child.pid as number);
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const closed = once(child, "close").then(() => {});
  if (signal.aborted) {
    // Stopped while it was being started: behind a gate that stays shut, the shell ends by itself.
    child.stdin?.destroy();
    await exited;
    throw signal.reason;
  }
  try {
    options.onStart(group);
  } catch (cause) {
    await stopGroup(group, clock, options.graces);
    throw new Error(`cannot record that ${argv[0]} was started, so it was stopped`, { cause });
  }
  child.stdin?.end("\n");
  child.stdout?.on("data", (data: Buffer) => options.onOutput("stdout", data));
  child.stderr?.on("data", (data: Buffer) => options.onOutput("stderr", data));

  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= stopGroup(group, clock, options.graces);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const exit = await Promise.race([exited, aborted(signal).then(() => stopped)]);
    await stopped;
    await within(clock, OUTPUT_GRACE_MS, closed);
    signal.throwIfAborted();
    return { exitCode: exitCodeOf(exit ?? [null, null]) };
  } finally {
    signal.removeEventListener("abort", stop);
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

async function start({ argv, cwd, env, commandId }: RunProcessOptions): Promise<ChildProcess> {
  const environment: NodeJS.ProcessEnv = { ...loginEnvironment(), ...env, [COMMAND_VARIABLE]: commandId };
  const cannot = (why: string, cause?: unknown) =>
    new Error(`cannot run ${JSON.stringify(argv[0])}: ${why}`, { cause });
  if (!(await isProgram(argv[0], environment.PATH, cwd)))
    throw cannot(`no such program${cwd ? ` (or folder ${cwd})` : ""}`);
  const child = spawn("/bin/sh", ["-c", GATE, "sh", ...argv], {
    cwd,
    env: environment,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {});
  // Once a pid is there, an error is about a signal that could not be sent; the exit tells the rest.
  if (child.pid !== undefined) return child.on("error", () => {});
  const [error] = (await once(child, "error")) as [NodeJS.ErrnoException];
  throw cannot(error.message, error);
}

/** Whether the system would find it: by its path, or by its name in `searchPath`. */
async function isProgram(file: string, searchPath = "/usr/bin:/bin", cwd = "."): Promise<boolean> {
  const places = file.includes("/") ? [""] : searchPath.split(delimiter);
  const found = await Promise.all(
    places.map((folder) =>
      access(resolve(cwd, folder, file), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

const exitCodeOf = ([code, signal]: [number | null, NodeJS.Signals | null]): number =>
  code ?? 128 + (signal ? system.signals[signal] : 0);
