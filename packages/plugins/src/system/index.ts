import { definePlugin } from "../contract.js";
import { manifest } from "./config.js";
import { cpu } from "./cpu.js";
import { disk } from "./disk.js";
import { hostAt } from "./host.js";
import { load } from "./load.js";
import { memory } from "./memory.js";
import { network } from "./network.js";

const host = hostAt();

export const plugin = definePlugin(manifest, {
  probes: { cpu: cpu(host), memory: memory(host), disk: disk(host), load: load(host), network: network(host) },
  remediations: {},
});
