import { type ChildProcess, fork } from "node:child_process";
import { createBackoff } from "../../backoff.js";
import { random } from "../../ids.js";
import { exitOf } from "./exit-of.js";

/** What the agent means by its exit code; none of these gets better by another start. */
const FINAL: Record<number, string> = {
  0: "The agent has stopped.",
  2: "The agent's configuration is wrong, see above.",
  3: "The server refused to enrol the agent, see above.",
  4: "The agent was revoked. To bring it back, delete its folder and start again.",
  5: "Another agent with the same identity has taken over.",
};

export interface AgentChild {
  /** Asks it to drain, and resolves when it has ended. */
  stop(): Promise<void>;
  kill(): void;
}

export interface AgentChildOptions {
  program: string;
  configFile: string;
  env: NodeJS.ProcessEnv;
  tell(text: string): void;
}

/** Keeps the agent of this host running: a crash restarts it, with back-off. */
export function startAgentChild({ program, configFile, env, tell }: AgentChildOptions): AgentChild {
  const backoff = createBackoff(random);
  let child: ChildProcess | undefined;
  let stopping = false;
  const running = (async () => {
    while (!stopping) {
      child = fork(program, ["--config", configFile], {
        env,
        stdio: ["ignore", "pipe", "pipe", "ipc"],
        detached: true,
      });
      for (const stream of [child.stdout!, child.stderr!])
        stream.on("data", (chunk: Buffer) => process.stderr.write(chunk));
      const code = await exitOf(child);
      if (stopping) return;
      const final = typeof code === "number" ? FINAL[code] : undefined;
      if (final) return tell(final);
      tell(`The agent ended unexpectedly (${code}); it is started again.`);
      await backoff.wait();
    }
  })();
  return {
    async stop() {
      stopping = true;
      child?.kill("SIGTERM");
      backoff.cancel();
      await running;
    },
    kill: () => void child?.kill("SIGKILL"),
  };
}
