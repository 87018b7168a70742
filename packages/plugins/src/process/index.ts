import { definePlugin } from "../contract.js";
import { alive } from "./alive.js";
import { manifest } from "./config.js";
import { restart } from "./restart.js";

export const plugin = definePlugin(manifest, { probes: { alive }, remediations: { restart } });
