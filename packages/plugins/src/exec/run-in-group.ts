import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface Ended {
  /** Null when a signal ended it or it never started. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Output beyond the limit was thrown away: `stdout` or `stderr` ends in the middle. */
  truncated: { stdout: boolean; stderr: boolean };
  /** It wrote without end and was stopped. */
  flooded: boolean;
  /** Why it never started. */
  spawnError?: string;
}

export interface GroupOptions {
  cwd?: string;
  env: Record<string, string>;
  maxOutputBytes: number;
  signal: AbortSignal;
  /** From TERM to KILL. */
  graceMs?: number;
}

const FLOOD_FACTOR = 16;
/** How long a descendant that left the group may hold our pipes after the program ended. */
const PIPE_GRACE_MS = 500;

/**
 * Runs a program without a shell in a process group of its own and resolves once nothing of the group is left.
 * Abort: TERM to the group, KILL after the grace, then it rejects with the signal's reason.
 */
export async function runInGroup(argv: readonly [string, ...string[]], options: GroupOptions): Promise<Ended> {
  const { cwd, env, maxOutputBytes, signal, graceMs = 2_000 } = options;
  signal.throwIfAborted();
  const [file, ...args] = argv;
  const child = spawn(file, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const flood = { bytes: 0, limit: maxOutputBytes * FLOOD_FACTOR, stop: () => killGroup(child, "SIGKILL") };
  const stdout = collect(child.stdout, maxOutputBytes, flood);
  const stderr = collect(child.stderr, maxOutputBytes, flood);
  const spawnError = await ended(child, signal, graceMs);
  signal.throwIfAborted();
  return {
    exitCode: spawnError ? null : child.exitCode,
    signal: child.signalCode,
    stdout: stdout.text(),
    stderr: stderr.text(),
    truncated: { stdout: stdout.truncated(), stderr: stderr.truncated() },
    flooded: flood.bytes > flood.limit,
    spawnError,
  };
}

async function ended(child: ChildProcess, signal: AbortSignal, graceMs: number): Promise<string | undefined> {
  let kill: NodeJS.Timeout | undefined;
  const stop = () => {
    killGroup(child, "SIGTERM");
    kill = setTimeout(() => killGroup(child, "SIGKILL"), graceMs);
  };
  signal.addEventListener("abort", stop, { once: true });
  const closed = once(child, "close").catch(() => undefined);
  try {
    await once(child, "exit");
    // Children the program left behind would go on unwatched, and hold our pipes open.
    killGroup(child, "SIGKILL");
    await closeOrLetGo(child, closed);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(kill);
  }
}

async function closeOrLetGo(child: ChildProcess, closed: Promise<unknown>): Promise<void> {
  const letGo = setTimeout(() => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, PIPE_GRACE_MS);
  await closed;
  clearTimeout(letGo);
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // ESRCH: nothing of the group is left, which is what we want.
  }
}

function collect(
  stream: NodeJS.ReadableStream,
  limit: number,
  flood: { bytes: number; limit: number; stop: () => void },
): { text(): string; truncated(): boolean } {
  const chunks: Buffer[] = [];
  let seen = 0;
  stream.on("data", (chunk: Buffer) => {
    if (seen < limit) chunks.push(chunk.subarray(0, limit - seen));
    seen += chunk.length;
    flood.bytes += chunk.length;
    if (flood.bytes > flood.limit) flood.stop();
  });
  return {
    text: () => Buffer.concat(chunks).toString("utf8"),
    truncated: () => seen > limit,
  };
}
