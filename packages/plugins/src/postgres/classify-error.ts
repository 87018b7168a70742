import { crit, type Outcome, unknown } from "../contract.js";
import { redact } from "../redact.js";

type Classify = (summary: string) => Outcome;

/** The server is not there for anybody. */
const SOCKET_DOWN: Record<string, string> = {
  ECONNREFUSED: "connection refused: nothing listens there",
  ENOENT: "there is no socket: the server is not running or has another socket folder",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  EHOSTUNREACH: "the host cannot be reached",
  ENOTFOUND: "the name does not exist in DNS",
};

const SOCKET_UNCLEAR: Record<string, string> = {
  EAI_AGAIN: "DNS did not answer; the server may be well",
  ENETUNREACH: "this host has no route to that network",
  ETIMEDOUT: "no answer in time",
  EACCES: "the agent may not open the socket",
};

/**
 * SQLSTATEs (PostgreSQL manual, appendix A) by prefix, the first match decides. What is left says that the server
 * works and refuses us or our query: that is our configuration, so it is UNKNOWN.
 */
const SQL_STATES: readonly [prefix: string, classify: Classify, what: string][] = [
  ["57014", unknown, "server answers, but the query took longer than queryTimeoutMs"],
  ["57P03", crit, "not accepting connections"],
  ["57P0", crit, "the server is shutting down or has crashed"],
  ["53300", crit, "too many connections"],
  ["53", crit, "out of resources"],
  ["58", crit, "system error"],
  ["XX", crit, "internal error"],
  ["28", unknown, "server answers, but refuses our login"],
  ["3D000", unknown, "server answers, but has no such database"],
  ["25006", unknown, "server answers, but the query wants to write; a probe only reads"],
  ["", unknown, "server answers, but refuses our query"],
];

/** The outcome a failed connection or query stands for; undefined when the failure is the probe's own. */
export function classifyError(error: unknown, server: string, hasAnswered: boolean): Outcome | undefined {
  const codes = errorCodes(error);
  const message = error instanceof Error ? error.message : String(error);
  const code = codes[0];
  if (code !== undefined && "severity" in (error as object)) {
    const [, classify, what] = SQL_STATES.find(([prefix]) => code.startsWith(prefix)) as (typeof SQL_STATES)[number];
    return classify(redact(`${server}: ${what}: ${message} (${code})`).slice(0, 450));
  }
  const down = codes.find((code) => code in SOCKET_DOWN);
  if (down) return crit(`${server}: ${SOCKET_DOWN[down]} (${down})`);
  const unclear = codes.find((code) => code in SOCKET_UNCLEAR);
  if (unclear) return unknown(`${server}: ${SOCKET_UNCLEAR[unclear]} (${unclear})`);
  return classifyMessage(message, server, hasAnswered);
}

/** pg gives these no code. */
function classifyMessage(message: string, server: string, hasAnswered: boolean): Outcome | undefined {
  if (/^SASL|password must be a string/.test(message))
    return unknown(`${server}: server answers, but refuses our login: ${message}`);
  if (/does not support SSL|certificate|self.signed/i.test(message))
    return unknown(`${server}: server answers, but not with the encryption asked for: ${message}`);
  if (!/^Connection (terminated|ended)/.test(message)) return undefined;
  return hasAnswered
    ? unknown(`${server}: the port answers, but not as PostgreSQL does, and closed the connection`)
    : crit(`${server}: the connection was closed without a word`);
}

/** A name with several addresses fails with one error per address. */
function errorCodes(error: unknown): string[] {
  const all = error instanceof AggregateError ? [...error.errors, error] : [error];
  return all.flatMap((one: { code?: unknown } | null) => (typeof one?.code === "string" ? [one.code] : []));
}
