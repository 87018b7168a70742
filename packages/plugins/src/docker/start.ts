import { defineRemediation } from "../contract.js";
import { previewAct, runAct } from "./act.js";
import type { OwnActs } from "./acts.js";
import { manifest } from "./config.js";
import { startAct, startNow, stopAct, stopNow } from "./start-stop.js";

const ROLLBACK_GRACE_SECONDS = 10;

export const startContainer = (acts: OwnActs) =>
  defineRemediation(manifest.remediations.start, {
    preview: (input, context) => previewAct(input, startAct, context),
    run: (input, context) => runAct(input, startAct, acts, context, (ready) => startNow(ready, acts, context)),
    rollback: (input, context) =>
      runAct(input, stopAct(ROLLBACK_GRACE_SECONDS), acts, context, (ready) =>
        stopNow(ready, ROLLBACK_GRACE_SECONDS, acts, context),
      ),
  });
