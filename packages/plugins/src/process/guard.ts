import { readFile } from "node:fs/promises";
import { type Process, programName, readProcess } from "./proc.js";

const UNTOUCHABLE = /^(?:dockerd|containerd(?:-shim.*)?|docker-proxy|docker-init|runc|systemd(?:-.*)?|init)$/;
const CONTAINER = /[/-](?:docker|kubepods|libpod|containerd|crio)[/-]|docker-[0-9a-f]{12}/;

/** Why this process must not be stopped, or undefined. */
export async function refusal(process: Process): Promise<string | undefined> {
  const who = `${programName(process)} (pid ${process.pid})`;
  if (process.pid <= 1) return `pid ${process.pid} is the first process of this system`;
  if (process.pid === 2 || process.ppid === 2) return `${who} is a kernel thread`;
  if (UNTOUCHABLE.test(process.comm) || UNTOUCHABLE.test(programName(process)))
    return `${who} carries other services; restart those instead`;
  if ((await ownTree()).has(process.pid) || process.group === (await ownGroup()))
    return `${who} is the agent itself or one it stands on`;
  if (await isInOtherContainer(process)) return `${who} runs in a container; use docker.restart`;
  return undefined;
}

async function ownTree(): Promise<Set<number>> {
  const tree = new Set<number>();
  for (let pid = globalThis.process.pid; pid > 0 && !tree.has(pid); ) {
    tree.add(pid);
    pid = (await readProcess(pid))?.ppid ?? 0;
  }
  return tree;
}

const ownGroup = async (): Promise<number | undefined> => (await readProcess(globalThis.process.pid))?.group;

async function isInOtherContainer({ pid }: Process): Promise<boolean> {
  const [theirs, ours] = await Promise.all([cgroup(String(pid)), cgroup("self")]);
  return theirs !== ours && CONTAINER.test(theirs);
}

const cgroup = (pid: string): Promise<string> => readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
