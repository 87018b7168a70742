export * from "./contract.js";
export { loadPlugin, PLUGIN_NAMES } from "./catalog.js";
export { manifests } from "./manifests.js";
