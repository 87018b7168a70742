import { definePlugin } from "../contract.js";
import { ownActs } from "./acts.js";
import { manifest } from "./config.js";
import { containersProbe } from "./containers.js";
import { restartContainer } from "./restart.js";
import { startContainer } from "./start.js";
import { stopContainer } from "./stop.js";

const acts = ownActs();

export const plugin = definePlugin(manifest, {
  probes: { containers: containersProbe(acts) },
  remediations: { restart: restartContainer(acts), stop: stopContainer(acts), start: startContainer(acts) },
});
