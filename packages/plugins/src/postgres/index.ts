import { definePlugin } from "../contract.js";
import { manifest } from "./config.js";
import { ready } from "./ready.js";

export const plugin = definePlugin(manifest, { probes: { ready }, remediations: {} });
