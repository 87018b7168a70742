import type { QueryConfig } from "pg";
import { defineProbe, type Outcome, unknown } from "../contract.js";
import { gradeRising } from "../ladder.js";
import { redact } from "../redact.js";
import { SecretError } from "../secret.js";
import { classifyError } from "./classify-error.js";
import { manifest, type ReadyConfig } from "./config.js";
import { type Connection, openConnection } from "./connection.js";
import { SERVER_STATE, type ServerState } from "./server-state.js";

interface Observation {
  state: ServerState;
  connectMs: number;
  queryMs: number;
}

export const ready = defineProbe(manifest.probes.ready, async (config, { signal }): Promise<Outcome> => {
  signal.throwIfAborted();
  const connection = open(config, signal);
  if ("status" in connection) return connection;
  const { server } = connection;
  try {
    return judge(await observe(connection, config), server, config);
  } catch (error) {
    signal.throwIfAborted();
    const outcome = classifyError(error, server, connection.hasAnswered());
    if (outcome) return outcome;
    const reason = redact(error instanceof Error ? error.message : String(error));
    throw new Error(`the probe of ${server} could not run: ${reason}`, { cause: error });
  } finally {
    connection.close();
  }
});

function open(config: ReadyConfig, signal: AbortSignal): Connection | Outcome {
  try {
    return openConnection(config, signal);
  } catch (error) {
    if (error instanceof SecretError) return unknown(`no connection was tried: ${error.message}`);
    // The url may hold a password, and the error may hold the url.
    return unknown("no connection was tried: url cannot be read; write postgres://user:password@host:5432/database");
  }
}

async function observe({ client, connect }: Connection, config: ReadyConfig): Promise<Observation> {
  const start = performance.now();
  await connect(config.connectTimeoutMs);
  const connected = performance.now();
  // The server must end a hanging statement by itself: it notices a closed socket only when it writes to it, and the
  // sessions of many runs would use up its connections.
  await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${config.queryTimeoutMs}`);
  const { rows } = await client.query<ServerState>(SERVER_STATE);
  const asked = performance.now();
  // The extended protocol takes one statement only: "COMMIT; DELETE …" cannot leave the read-only transaction.
  const query: QueryConfig & { queryMode: "extended" } = { text: config.query, queryMode: "extended" };
  await client.query(query);
  const answered = performance.now();
  return { state: rows[0] as ServerState, connectMs: connected - start, queryMs: answered - asked };
}

function judge({ state, connectMs, queryMs }: Observation, server: string, config: ReadyConfig): Outcome {
  const { version, in_recovery: inRecovery, used, available } = state;
  const percent = available > 0 ? (100 * used) / available : 100;
  const limits = config.connectionsPercent;
  const latency = connectMs + queryMs;
  return {
    status: gradeRising(percent, limits),
    summary: `${server}: ${version}${inRecovery ? ", in recovery" : ""}, answers in ${latency.toFixed(0)} ms, ${used} of ${available} connections used (${percent.toFixed(0)} %); warn ${limits.warn} %, crit ${limits.crit} %`,
    metrics: {
      latency: [round(latency), "ms"],
      connect: [round(connectMs), "ms"],
      query: [round(queryMs), "ms"],
      connections: [round(percent), "%"],
      connectionsUsed: [used, "1"],
      connectionsAvailable: [available, "1"],
      inRecovery: [inRecovery ? 1 : 0, "1"],
    },
    evidence: { version, inRecovery },
  };
}

const round = (value: number) => Math.round(value * 100) / 100;
