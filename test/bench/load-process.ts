import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A generator of load, or something to be measured, in a process of its own. */
export interface Load<Output> extends AsyncDisposable {
  readonly pid: number;
  /** What it answered. It goes on running until it is disposed of. */
  readonly answer: Promise<Output>;
  tell(message: unknown): void;
}

type Wire<Output> = { answer: Output } | { said: unknown } | { error: string };

/** The load must not share the server's thread, nor the clock's. `hear` gets what it says before it answers. */
export function startLoad<Input extends object, Output>(
  module: URL,
  input: Input,
  hear: (message: unknown) => void = () => {},
): Load<Output> {
  const child = fork(module, { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
  const answer = new Promise<Output>((resolve, reject) => {
    child.on("message", (message: Wire<Output>) => {
      if ("said" in message) hear(message.said);
      else if ("error" in message) reject(new Error(message.error));
      else resolve(message.answer);
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(new Error(`${module.pathname} ended with ${code ?? signal}`)));
  });
  // Who is disposed of before it answered need not be waited for.
  answer.catch(() => {});
  child.send(input);
  return {
    pid: child.pid!,
    answer,
    tell: (message) => void child.send({ told: message }, () => {}),
    [Symbol.asyncDispose]: () => ended(child),
  };
}

/** Runs a generator to its end. */
export async function runLoad<Input extends object, Output>(module: URL, input: Input): Promise<Output> {
  await using running = startLoad<Input, Output>(module, input);
  return await running.answer;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** What a load can do besides answering. */
export interface Parent {
  say(message: unknown): void;
  onTold(listener: (message: unknown) => void): void;
}

/** The other end of `startLoad`. */
export function load<Input, Output>(run: (input: Input, parent: Parent) => Promise<Output>): void {
  // Whoever asked may be gone by then.
  const send = (message: Wire<Output>) => void process.send?.(message, () => {});
  const parent: Parent = {
    say: (said) => send({ said }),
    onTold: (listener) => process.on("message", (message) => listener((message as { told: unknown }).told)),
  };
  process.once("message", (input) => {
    run(input as Input, parent).then(
      (answer) => send({ answer }),
      (error: Error) => send({ error: error.stack ?? error.message }),
    );
  });
}
