import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CliError, EXIT } from "../failure.js";
import { exitOf } from "./exit-of.js";

/** What the server says when it listens. */
export interface Ready {
  url: string;
  version: string;
  dataDir: string;
  firstRunToken?: string;
  /** The embedded database; absent when `DATABASE_URL` names one. */
  database?: { host: string; port: number; user: string; password: string; database: string };
}

type Message = ({ type: "ready" } & Ready) | { type: "failed"; code: string; message: string };

/** Output is held back until it is known whether the start succeeded: a refusal is told once, in its own words. */
const HELD_BYTES = 64 * 1024;

/** The program of another package of the workspace. */
export function programOf(name: string, path: string): string {
  const bin = fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
  const built = new URL("../dist/main.js", `file://${bin}`);
  if (existsSync(bin) && existsSync(built)) return bin;
  throw new CliError(
    EXIT.FAILED,
    "NOT_BUILT",
    `The ${name} is not there: ${fileURLToPath(built)} is missing.`,
    "Run `pnpm build` in the checkout, or `npm start`.",
  );
}

export interface ServerChild {
  /** Rejects with what the server said when it could not start. */
  ready: Promise<Ready>;
  /** The exit code or signal. */
  ended: Promise<number | string>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts the server, in a process group of its own: a Ctrl-C at the terminal is ours to pass on, after the agent. */
export function startServerChild(program: string, env: NodeJS.ProcessEnv): ServerChild {
  const child = fork(program, {
    env: { POPPO_LOG_LEVEL: "warn", ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  const output = holdBack(child);
  const ready = firstMessage(child).then((message) => {
    if (message.type === "ready" || message.code === "INTERNAL") output.release();
    if (message.type === "ready") return message;
    throw new CliError(message.code === "BAD_INPUT" ? EXIT.USAGE : EXIT.FAILED, message.code, message.message);
  });
  // Told to stop while it starts, nobody waits for it any more.
  ready.catch(() => {});
  return { ready, ended: exitOf(child), kill: (signal) => void child.kill(signal) };
}

function firstMessage(child: ChildProcess): Promise<Message> {
  return new Promise((resolve) => {
    child.once("message", (message) => resolve(message as Message));
    child.once("error", (error) => resolve({ type: "failed", code: "INTERNAL", message: error.message }));
    child.once("exit", (code, signal) => {
      const message = `The server ended before it listened (${signal ?? `exit code ${code}`}).`;
      resolve({ type: "failed", code: "INTERNAL", message });
    });
  });
}

function holdBack(child: ChildProcess) {
  let held = "";
  const hold = (chunk: Buffer) => {
    held = (held + chunk).slice(-HELD_BYTES);
  };
  const streams = [child.stdout!, child.stderr!];
  for (const stream of streams) stream.on("data", hold);
  return {
    release() {
      process.stderr.write(held);
      for (const stream of streams) stream.off("data", hold).on("data", (chunk: Buffer) => process.stderr.write(chunk));
    },
  };
}
