import { readFile, stat } from "node:fs/promises";
import picomatch from "picomatch";
import type { Selector } from "./config.js";
import { portOwners } from "./listeners.js";
import { commandLine, isZombie, listPids, type Process, programName, readProcess, startedAt } from "./proc.js";

export type Found =
  /** Running (or zombie) processes, oldest first. */
  | { kind: "found"; processes: Process[] }
  | { kind: "absent"; reason: string; evidence: Record<string, unknown> }
  /** We could not tell. */
  | { kind: "unreadable"; reason: string };

/** A daemon writes its pid file after it started; on a steady clock both times disagree by this at most. */
const CLOCK_SLACK_MS = 5_000;

export async function find(selector: Selector): Promise<Found> {
  try {
    return narrow(await select(selector), selector.cmdline);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM")
      return { kind: "unreadable", reason: `${message}; may the agent read it?` };
    throw error;
  }
}

function select({ pidFile, name, port, cmdline }: Selector): Promise<Found> {
  if (pidFile !== undefined) return byPidFile(pidFile, cmdline);
  if (name !== undefined) return byName(name);
  if (port !== undefined) return byPort(port);
  return Promise.resolve(absent("nothing says which process it is", {}));
}

const absent = (reason: string, evidence: Record<string, unknown>): Found => ({ kind: "absent", reason, evidence });

async function byPidFile(path: string, cmdline: string | undefined): Promise<Found> {
  const file = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return absent(`pid file ${path} does not exist`, { pidFile: path });
  const text = file.trim().split("\n")[0] ?? "";
  const pid = Number(text);
  if (!/^\d{1,10}$/.test(text) || pid === 0)
    return {
      kind: "unreadable",
      reason: `pid file ${path} holds ${JSON.stringify(text.slice(0, 40))}, not a process id`,
    };

  const process = await readProcess(pid);
  if (!process)
    return absent(`pid file ${path} is stale: process ${pid} is not alive`, { pidFile: path, pid, stale: true });
  if (cmdline === undefined && (await isYounger(process, path)))
    return {
      kind: "unreadable",
      reason: `pid file ${path} is older than its process ${pid}, ${programName(process)}: the pid was reused, or the clock was set forward; give cmdline to tell`,
    };
  return { kind: "found", processes: [process] };
}

/** Only a doubt: the kernel dates a start by today's clock, so a step forward makes an old process look this young. */
async function isYounger(process: Process, file: string): Promise<boolean> {
  const writtenAt = (await stat(file)).mtimeMs;
  return (await startedAt(process)) > writtenAt + CLOCK_SLACK_MS;
}

async function byName(name: string): Promise<Found> {
  const processes: Process[] = [];
  for (const pid of await listPids()) {
    // The agent itself is left out: `name: node` must not be satisfied by the watcher.
    if (pid === globalThis.process.pid) continue;
    const process = await readProcess(pid);
    if (process && (process.comm === name || programName(process) === name)) processes.push(process);
  }
  return processes.length > 0 ? found(processes) : absent(`no process named ${name}`, { name });
}

async function byPort(port: number): Promise<Found> {
  const { isOpen, pids } = await portOwners(port);
  if (!isOpen) return absent(`nothing listens on TCP port ${port}`, { port });
  const processes = (await Promise.all(pids.map(readProcess))).filter((process) => process !== undefined);
  if (processes.length > 0) return found(processes);
  return {
    kind: "unreadable",
    reason: `something listens on TCP port ${port}, but its process cannot be seen; run the agent as root`,
  };
}

const found = (processes: Process[]): Found => ({
  kind: "found",
  processes: processes.sort((a, b) => a.startTicks - b.startTicks || a.pid - b.pid),
});

function narrow(result: Found, cmdline: string | undefined): Found {
  if (result.kind !== "found" || cmdline === undefined) return result;
  // Not a path: `*` has to match slashes and leading dots too.
  const matches = picomatch(cmdline, { bash: true, dot: true });
  const isOurs = (process: Process) => isZombie(process) || matches(process.argv.join(" "));
  const processes = result.processes.filter(isOurs);
  if (processes.length > 0) return { kind: "found", processes };
  const others = result.processes.slice(0, 3).map(commandLine);
  return absent(`the command line does not match ${cmdline}: ${others.join(", ")}`, { cmdlines: others });
}
