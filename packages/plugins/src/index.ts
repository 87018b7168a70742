export { loadExternalPlugin, loadPlugin, PLUGIN_NAMES, PluginError } from "./catalog.js";
export { clip } from "./clip.js";
export { didYouMean, explainConfigError } from "./config-error.js";
export * from "./contract.js";
export { manifests } from "./manifests.js";
export { redact } from "./redact.js";
