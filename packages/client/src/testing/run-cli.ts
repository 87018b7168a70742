import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const bin = fileURLToPath(new URL("../../bin/poppo-ops.js", import.meta.url));

/** The binary runs what is built; a test of yesterday's build proves nothing. */
export async function build(): Promise<void> {
  const tsc = fileURLToPath(new URL("../../../../node_modules/typescript/bin/tsc", import.meta.url));
  await promisify(execFile)(process.execPath, [tsc, "-b", fileURLToPath(new URL("../..", import.meta.url))]);
}

/** The command line as a user has it: a real process, in a folder of its own, with nothing of ours in its environment. */
export async function openShell() {
  const home = await mkdtemp(join(tmpdir(), "poppo-cli-"));
  const running = new Set<ChildProcess>();

  function start(args: string[], env: Record<string, string> = {}) {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    running.add(child);
    const result = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      result.stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      result.stderr += chunk;
    });
    const ended = once(child, "close").then(([code]) => {
      running.delete(child);
      return { ...result, code: code as number | null };
    });
    return { child, result, ended };
  }

  return {
    home,
    start,
    run(args: string[], { env, input = "" }: { env?: Record<string, string>; input?: string } = {}) {
      const { child, ended } = start(args, env);
      child.stdin.end(input);
      return ended;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...running].map(async (child) => {
          const gone = once(child, "close");
          child.kill("SIGKILL");
          await gone;
        }),
      );
      await rm(home, { recursive: true, force: true });
    },
  };
}

export type Shell = Awaited<ReturnType<typeof openShell>>;
