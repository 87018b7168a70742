import { readFile } from "node:fs/promises";
import { defineProbe, type Outcome, unknown } from "../contract.js";
import { redact } from "../redact.js";
import { resolveSecret, SecretError } from "../secret.js";
import { classifyError } from "./classify-error.js";
import { type CheckConfig, manifest } from "./config.js";
import { exchange } from "./exchange.js";
import { judge } from "./judge.js";
import { redactUrl } from "./redact-url.js";

/**
 * There is no clock of its own: an answer that does not come ends with the signal, and the agent records the TIMEOUT.
 * Slow is what `latencyMs` judges.
 */
export const check = defineProbe(manifest.probes.check, async (config, { signal, now }): Promise<Outcome> => {
  const { url, method, body, maxBodyBytes, tls } = config;
  try {
    const headers = resolveHeaders(config);
    const ca = tls.ca === undefined ? undefined : await readFile(tls.ca).catch(() => null);
    if (ca === null)
      return unknown(`${method} ${redactUrl(url)} was not sent: the agent cannot read tls.ca, ${tls.ca}`);
    const { insecure } = tls;
    const response = await exchange({ url, method, headers, body, ca, insecure, maxBodyBytes, signal });
    return judge(response, config, now());
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SecretError) return unknown(`${method} ${redactUrl(url)} was not sent: ${error.message}`);
    const outcome = classifyError(error, `${method} ${redactUrl(url)}`);
    if (outcome) return outcome;
    const reason = redact(error instanceof Error ? error.message : String(error));
    throw new Error(`${method} ${redactUrl(url)} could not be sent: ${reason}`, { cause: error });
  }
});

const resolveHeaders = ({ headers }: CheckConfig): Record<string, string> => ({
  "user-agent": "poppo-ops",
  ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), resolveSecret(value)])),
});
