import { crit, type Outcome, unknown } from "../contract.js";
import { gradeFalling, gradeRising, worst } from "../ladder.js";
import { redact } from "../redact.js";
import type { Metrics } from "../wire.js";
import type { Bounds, CheckConfig, Scalar } from "./config.js";
import type { Response } from "./exchange.js";
import { valueAt } from "./json-path.js";
import { redactUrl } from "./redact-url.js";

const DAY_MS = 86_400_000;

/** The judgement of an answer: the first stage that objects decides, and the last one grades. */
export function judge(response: Response, config: CheckConfig, now: number): Outcome {
  const stages = [judgeAvailability, judgeIdentity, judgeStatus, judgeBody, judgeJson];
  const json = parseJson(response);
  let objection: Outcome | undefined;
  for (const stage of stages) if (!objection) objection = stage(response, config, json);
  const daysLeft = response.certificateValidTo === undefined ? undefined : (response.certificateValidTo - now) / DAY_MS;
  const outcome = objection ?? gradeLimits(response, config, daysLeft);
  const { location } = response.headers;
  return {
    ...outcome,
    // The summary may quote what the target sent.
    summary: redact(`${config.method} ${redactUrl(config.url)}: ${outcome.summary}`),
    metrics: { ...measured(response, daysLeft), ...measuredJson(config, json) },
    evidence: {
      url: redactUrl(config.url),
      status: response.status,
      contentType: response.headers["content-type"]?.slice(0, 200) ?? null,
      ...(location !== undefined && { location: redactUrl(location, config.url).slice(0, 500) }),
      ...(response.isTruncated && { bodyTruncatedAt: config.maxBodyBytes }),
    },
  };
}

type Json = { value: unknown } | undefined;
type Stage = (response: Response, config: CheckConfig, json: Json) => Outcome | undefined;

/** Before identity, because a gateway's 502 and a login page's redirect never carry our program's mark. */
const judgeAvailability: Stage = ({ status, headers }, config) => {
  if (isExpected(status, config)) return undefined;
  if (status === 429) return unknown("HTTP 429, the target limits our rate; it may be well");
  if (status >= 500) return crit(`HTTP ${status}, expected ${describe(config.expectStatus)}`);
  if (status < 300 || status >= 400 || headers.location === undefined) return undefined;
  const where = redactUrl(headers.location, config.url);
  return crit(`HTTP ${status}, redirected to ${where}; a login page is not our service`);
};

const judgeIdentity: Stage = ({ status, headers, isTruncated }, { identity, maxBodyBytes }, json) => {
  if (!identity) return undefined;
  const wrong = (what: string) => unknown(`HTTP ${status}, but it is not our program that answers: ${what}`);
  for (const [name, value] of Object.entries(identity.header)) {
    const seen = headers[name.toLowerCase()];
    if (String(seen ?? "") !== value) return wrong(`header ${name} is ${quote(seen)}, expected ${quote(value)}`);
  }
  if (identity.json.length === 0) return undefined;
  if (isTruncated) return tooLong(maxBodyBytes, "who answers");
  if (!json) return wrong("the body is not JSON");
  const missing = identity.json.find((path) => valueAt(json.value, path) === undefined);
  return missing === undefined ? undefined : wrong(`the JSON has no ${missing}`);
};

const judgeStatus: Stage = ({ status }, config) =>
  isExpected(status, config) ? undefined : crit(`HTTP ${status}, expected ${describe(config.expectStatus)}`);

const judgeBody: Stage = ({ status, body, isTruncated }, { expectBody, maxBodyBytes }) => {
  if (expectBody === undefined || body.includes(expectBody)) return undefined;
  if (isTruncated) return tooLong(maxBodyBytes, `whether it contains ${quote(expectBody)}`);
  return crit(`HTTP ${status}, but the body does not contain ${quote(expectBody)}`);
};

const judgeJson: Stage = ({ status, isTruncated }, { expectJson, maxBodyBytes }, json) => {
  if (!expectJson) return undefined;
  if (isTruncated) return tooLong(maxBodyBytes, "what its JSON says");
  if (!json) return unknown(`HTTP ${status}, but the body is not JSON; nothing can be read from it`);
  const failures = Object.entries(expectJson).flatMap(([path, expected]) => {
    const failure = compare(path, valueAt(json.value, path), expected);
    return failure ? [failure] : [];
  });
  // A value that is wrong for certain outweighs one that could not be read.
  return failures.find(({ status }) => status === "CRIT") ?? failures[0];
};

function compare(path: string, value: unknown, expected: Scalar | Bounds): Outcome | undefined {
  if (value === undefined) return unknown(`the JSON has no ${path}`);
  if (typeof expected !== "object" || expected === null)
    return value === expected ? undefined : crit(`${path} is ${quote(value)}, expected ${quote(expected)}`);
  if (typeof value !== "number") return unknown(`${path} is ${quote(value)}, not a number`);
  const { min = -Infinity, max = Infinity } = expected;
  if (value < min) return crit(`${path} is ${value}, below the minimum of ${min}`);
  return value > max ? crit(`${path} is ${value}, above the maximum of ${max}`) : undefined;
}

function gradeLimits({ status, timings }: Response, { latencyMs, tls }: CheckConfig, daysLeft?: number): Outcome {
  const byLatency = latencyMs ? gradeRising(timings.latency, latencyMs) : "OK";
  const isJudged = daysLeft !== undefined && !tls.insecure;
  const byCertificate = isJudged ? gradeFalling(daysLeft, tls.minDaysLeft) : "OK";
  const limits = latencyMs ? `; warn ${latencyMs.warn} ms, crit ${latencyMs.crit} ms` : "";
  const certificate =
    byCertificate === "OK"
      ? ""
      : `, the certificate expires in ${daysLeft?.toFixed(1)} days; warn ${tls.minDaysLeft.warn}, crit ${tls.minDaysLeft.crit}`;
  return {
    status: worst(byLatency, byCertificate),
    summary: `HTTP ${status} in ${timings.latency.toFixed(0)} ms${limits}${certificate}`,
  };
}

const measured = ({ status, body, timings }: Response, daysLeft?: number): Metrics => ({
  ...Object.fromEntries(
    Object.entries(timings).map(([phase, ms]) => [phase, [Math.round(ms * 100) / 100, "ms"] as const]),
  ),
  status: [status, "1"],
  body: [body.length, "B"],
  ...(daysLeft !== undefined && { certificateDaysLeft: [Math.round(daysLeft * 10) / 10, "d"] as const }),
});

/** The first numbers `expectJson` names, as metrics of their own. */
function measuredJson({ expectJson = {} }: CheckConfig, json: Json): Metrics {
  const numbers = Object.keys(expectJson).flatMap((path) => {
    const value = valueAt(json?.value, path);
    return typeof value === "number" && Number.isFinite(value) ? [[`json.${path}`, [value, "1"]] as const] : [];
  });
  return Object.fromEntries(numbers.slice(0, 32));
}

function parseJson({ body, isTruncated }: Response): Json {
  if (isTruncated) return undefined;
  try {
    return { value: JSON.parse(body.toString("utf8")) };
  } catch {
    return undefined;
  }
}

function isExpected(status: number, { expectStatus }: CheckConfig): boolean {
  return [expectStatus].flat().some((wanted) => wanted === status || wanted === `${Math.floor(status / 100)}xx`);
}

const describe = (expected: CheckConfig["expectStatus"]) => [expected].flat().join(", ");

const tooLong = (limit: number, what: string) =>
  unknown(
    `the body is longer than maxBodyBytes (${limit}); ${what} cannot be told. Raise maxBodyBytes or ask a smaller page`,
  );

const quote = (value: unknown) => (value === undefined ? "absent" : JSON.stringify(value).slice(0, 80));
