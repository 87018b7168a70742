export { didYouMean, explainConfigError } from "./config-error.js";
export * from "./contract.js";
export { redact } from "./redact.js";
