import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Program extends AsyncDisposable {
  pid: number;
}

/** Runs an installed program quietly, with a folder of its own that goes with it. */
export async function startProgram(command: string, args: (home: string) => Promise<string[]>): Promise<Program> {
  const home = await mkdtemp(join(tmpdir(), "poppo-bench-"));
  const child = spawn(command, await args(home), { stdio: "ignore", cwd: home });
  await once(child, "spawn");
  return {
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      await end(child);
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(late);
}

/** Below 32,768: zabbix-agent2 takes no higher one. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(randomInt(10_000, 32_768), "127.0.0.1");
    const [taken] = await Promise.race([once(server, "listening"), once(server, "error")]);
    if (taken) continue;
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    return port;
  }
}

/** Repeats until it succeeds. @throws what it threw last, after a minute */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}
