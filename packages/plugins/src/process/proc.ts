import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { clip } from "../clip.js";
import { redact } from "../redact.js";

/** A process. A pid alone names nobody for long; `pid` and `startTicks` together do. */
export interface Process {
  pid: number;
  /** The kernel's name, at most 15 bytes. */
  comm: string;
  state: string;
  ppid: number;
  group: number;
  cpuTicks: number;
  startTicks: number;
  argv: string[];
}

/** USER_HZ: 100 on every Linux that Node.js runs on, whatever the kernel ticks at. */
export const TICKS_PER_SECOND = 100;

/** The process, or undefined when there is none. Other failures (no permission) throw. */
export async function readProcess(pid: number): Promise<Process | undefined> {
  const stat = await contents(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const cmdline = (await contents(`/proc/${pid}/cmdline`)) ?? "";
  return { ...parseStat(stat), argv: cmdline.split("\0").slice(0, -1) };
}

/** The name stands in parentheses and may hold any byte, parentheses and spaces too: the last `)` ends it. */
export function parseStat(stat: string): Omit<Process, "argv"> {
  const open = stat.indexOf("(");
  const close = stat.lastIndexOf(")");
  const fields = stat.slice(close + 2).split(" ");
  return {
    pid: Number(stat.slice(0, open)),
    comm: stat.slice(open + 1, close),
    state: fields[0] ?? "?",
    ppid: Number(fields[1]),
    group: Number(fields[2]),
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    startTicks: Number(fields[19]),
  };
}

export async function listPids(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}

export const isZombie = ({ state }: Process): boolean => state === "Z" || state === "X";

/** The very same process is still there and not a zombie. */
export async function isAlive({ pid, startTicks }: Process): Promise<boolean> {
  const now = await readProcess(pid);
  return now !== undefined && now.startTicks === startTicks && !isZombie(now);
}

export const programName = ({ argv, comm }: Process): string =>
  argv[0] ? basename(argv[0].split(" ")[0] ?? "") : comm;

/** Redacted. */
export const commandLine = ({ argv, comm }: Process): string => clip(redact(argv.join(" ") || `[${comm}]`), 1_000);

/** Milliseconds since 1970. */
export async function startedAt({ startTicks }: Process): Promise<number> {
  const boot = /^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8"))?.[1];
  return Number(boot) * 1000 + (startTicks / TICKS_PER_SECOND) * 1000;
}

/** Resident memory in bytes; undefined when the process is gone or a kernel thread. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec((await contents(`/proc/${pid}/status`)) ?? "")?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** What its open files are; undefined when it is gone or we may not look. */
export async function openFiles(pid: number): Promise<string[] | undefined> {
  try {
    const names = await readdir(`/proc/${pid}/fd`);
    return await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
  } catch {
    return undefined;
  }
}

async function contents(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}
