import { definePlugin } from "../contract.js";
import { check } from "./check.js";
import { manifest } from "./config.js";

export const plugin = definePlugin(manifest, { probes: { check }, remediations: {} });
