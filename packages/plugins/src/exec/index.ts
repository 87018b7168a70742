import { definePlugin } from "../contract.js";
import { manifest } from "./config.js";
import { nagios } from "./nagios.js";

export const plugin = definePlugin(manifest, { probes: { nagios }, remediations: {} });
