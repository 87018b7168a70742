import type { RemediationContext } from "../contract.js";
import { type Act, afterStart, type Ready } from "./act.js";
import type { OwnActs } from "./acts.js";

export const startAct: Act = {
  describe: (name) => `start container ${name}`,
  refuse: ({ Name, State }) => {
    const startable = State.Status === "created" || State.Status === "exited" || State.Status === "running";
    return startable ? undefined : `container ${Name.slice(1)} is ${State.Status}`;
  },
};

/** Starting what runs already changes nothing. */
export async function startNow(ready: Ready, acts: OwnActs, context: RemediationContext): Promise<string> {
  const { engine, container, name } = ready;
  context.output(`starting ${name}\n`);
  await engine.start(container.Id, context.signal);
  const after = await engine.inspect(container.Id, context.signal);
  if (after.State.StartedAt !== container.State.StartedAt) acts.started(container.Id, after.State.StartedAt);
  const summary = `started ${name}: ${afterStart(after)}`;
  context.output(`${summary}\n`);
  return summary;
}

export const stopAct = (timeoutSeconds: number): Act => ({
  describe: (name) => `stop container ${name}: TERM, KILL after ${timeoutSeconds} s; it stays stopped`,
  refuse: ({ Name, State }) =>
    State.Status === "paused" ? `container ${Name.slice(1)} is paused; unpause it first` : undefined,
});

/** Stopping what is stopped already changes nothing. */
export async function stopNow(
  ready: Ready,
  timeoutSeconds: number,
  acts: OwnActs,
  context: RemediationContext,
): Promise<string> {
  const { engine, container, name } = ready;
  context.output(`stopping ${name} (grace ${timeoutSeconds} s)\n`);
  await engine.stop(container.Id, timeoutSeconds, context.signal);
  const { State } = await engine.inspect(container.Id, context.signal);
  if (State.Status === "running" || State.Status === "restarting")
    throw new Error(`${name} is ${State.Status} after the stop; something started it again`);
  acts.stopped(container.Id, State.StartedAt);
  const summary = `stopped ${name}: exit code ${State.ExitCode}`;
  context.output(`${summary}\n`);
  return summary;
}
