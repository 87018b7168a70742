import { defineRemediation } from "../contract.js";
import { previewAct, runAct } from "./act.js";
import type { OwnActs } from "./acts.js";
import { manifest } from "./config.js";
import { startAct, startNow, stopAct, stopNow } from "./start-stop.js";

export const stopContainer = (acts: OwnActs) =>
  defineRemediation(manifest.remediations.stop, {
    preview: (input, context) => previewAct(input, stopAct(input.timeoutSeconds), context),
    run: (input, context) =>
      runAct(input, stopAct(input.timeoutSeconds), acts, context, (ready) =>
        stopNow(ready, input.timeoutSeconds, acts, context),
      ),
    rollback: (input, context) => runAct(input, startAct, acts, context, (ready) => startNow(ready, acts, context)),
  });
