import { fork } from "node:child_process";
import { once } from "node:events";

/** Runs a generator in a process of its own, so that the load does not share the server's or the clock's thread. */
export async function runLoad<Input extends object, Output>(module: URL, input: Input): Promise<Output> {
  const child = fork(module, { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
  child.send(input);
  const answer = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`${module.pathname} ended with ${code}`);
    }),
  ]);
  if (child.exitCode === null) {
    const gone = once(child, "exit");
    child.kill();
    await gone;
  }
  return (answer as [Output])[0];
}

/** The other end of `runLoad`. */
export function load<Input, Output>(run: (input: Input) => Promise<Output>): void {
  process.once("message", async (input) => {
    // Whoever asked may be gone by then.
    process.send?.(await run(input as Input), () => {});
  });
}
