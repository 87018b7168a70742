import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Account } from "./account.js";
import { asAccount } from "./cluster.js";
import type { Home } from "./home.js";
import { watchOver } from "./watchdog.js";

/** One running PostgreSQL that accepts connections. */
export interface Postmaster {
  pid: number;
  /** Resolves with the reason when it has ended, for whatever cause. */
  ended: Promise<string>;
  /** Fast shutdown; after `deadlineMs` an immediate one, which the next start repairs from the log. */
  stop(deadlineMs?: number): Promise<void>;
}

export interface PostmasterOptions {
  executable: string;
  settings: string[];
  home: Home;
  account: Account;
  log(line: string): void;
  signal: AbortSignal;
}

/** Resolves when PostgreSQL is ready. Recovery after a crash takes what it takes: only its end, or the signal, ends the wait. */
export async function startPostmaster({
  executable,
  settings,
  home,
  account,
  log,
  signal,
}: PostmasterOptions): Promise<Postmaster> {
  signal.throwIfAborted();
  // A session of its own: Ctrl-C in the terminal must not stop it before the server has drained.
  const child = spawn(executable, ["-D", home.data, ...settings], {
    ...asAccount(account),
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const tail = followLog(child, log);
  const exited = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(`cannot run ${executable}: ${error.message}`));
    // "close" and not "exit": it comes when the backends, which share stderr, are gone as well.
    child.on("close", (code, killer) => resolve(`${killer ?? `exit ${code}`}: ${tail.join(" / ") || "no message"}`));
  });
  if (!child.pid) throw new Error(`PostgreSQL did not start: ${await exited}`);
  const callOff = watchOver(child.pid, account);
  const ended = exited.then((reason) => callOff().then(() => reason));
  const postmaster = { pid: child.pid, ended, stop: (deadlineMs = 15_000) => stop(child, ended, deadlineMs) };
  const outcome = await Promise.race([ended, ready(home, child, signal)]);
  if (outcome === "ready") return postmaster;
  await postmaster.stop();
  signal.throwIfAborted();
  throw new Error(`PostgreSQL did not start: ${outcome}`);
}

function followLog(child: ChildProcess, log: (line: string) => void): string[] {
  const tail: string[] = [];
  createInterface({ input: child.stderr! }).on("line", (line) => {
    log(line);
    tail.push(line);
    if (tail.length > 5) tail.shift();
  });
  return tail;
}

/** PostgreSQL writes its state into the eighth line of postmaster.pid, the way pg_ctl reads it. */
async function ready(home: Home, child: ChildProcess, signal: AbortSignal): Promise<"ready" | "aborted" | "gone"> {
  while (child.exitCode === null && child.signalCode === null) {
    if (signal.aborted) return "aborted";
    const lines = (await readFile(join(home.data, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready") return "ready";
    await sleep(10);
  }
  return new Promise(() => {});
}

async function stop(child: ChildProcess, ended: Promise<string>, deadlineMs: number): Promise<void> {
  const late = setTimeout(() => child.kill("SIGQUIT"), deadlineMs);
  child.kill("SIGINT");
  await ended;
  clearTimeout(late);
}
