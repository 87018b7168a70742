export { loadExternalPlugin, loadPlugin, PLUGIN_NAMES } from "./catalog.js";
export { explainConfigError } from "./config-error.js";
export * from "./contract.js";
export { manifests } from "./manifests.js";
export { redact } from "./redact.js";
