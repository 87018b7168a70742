import { defineRemediation } from "../contract.js";
import { type Act, afterStart, previewAct, runAct } from "./act.js";
import type { OwnActs } from "./acts.js";
import { manifest } from "./config.js";

const act = (timeoutSeconds: number): Act => ({
  describe: (name) => `restart container ${name}: TERM, KILL after ${timeoutSeconds} s, start again`,
  refuse: ({ Name, State }) => {
    if (State.Status === "paused") return `container ${Name.slice(1)} is paused; unpause it first`;
    if (State.Status === "removing" || State.Status === "dead") return `container ${Name.slice(1)} is ${State.Status}`;
    return undefined;
  },
});

export const restartContainer = (acts: OwnActs) =>
  defineRemediation(manifest.remediations.restart, {
    preview: (input, context) => previewAct(input, act(input.timeoutSeconds), context),
    run: (input, context) =>
      runAct(input, act(input.timeoutSeconds), acts, context, async ({ engine, container: { Id }, name }) => {
        context.output(`restarting ${name}: stopping (grace ${input.timeoutSeconds} s)\n`);
        // One call, not stop and start: cancelled in between, the engine still finishes it and nothing stays down.
        await engine.restart(Id, input.timeoutSeconds, context.signal);
        const after = await engine.inspect(Id, context.signal);
        acts.started(Id, after.State.StartedAt);
        // Whether it helped is for the verifying probe to say, so a quick death is no failure of the restart.
        const summary = `restarted ${name}: ${afterStart(after)}`;
        context.output(`${summary}\n`);
        return summary;
      }),
  });
