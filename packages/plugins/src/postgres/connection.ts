import { Socket } from "node:net";
import { Client, type ClientConfig } from "pg";
import { resolveSecret } from "../secret.js";
import type { ReadyConfig } from "./config.js";

export interface Connection {
  client: Client;
  /** Where it leads, for people: never with a password. */
  server: string;
  /** Whether the peer has said anything. */
  hasAnswered(): boolean;
  /** Logs in. Fails with ETIMEDOUT when that takes longer. */
  connect(timeoutMs: number): Promise<void>;
  /** Says goodbye and closes the socket, without waiting for an answer. */
  close(): void;
}

/**
 * A client on a socket of our own, so that it can be closed at any moment: pg waits for a hung server in `connect` and
 * in `end` alike.
 * @throws {SecretError} when a reference cannot be resolved; `TypeError` when the url is none
 */
export function openConnection(config: ReadyConfig, signal: AbortSignal): Connection {
  const socket = new Socket();
  const client = new Client({ ...clientConfig(config), stream: () => socket });
  // Errors reach the promise in flight; without a listener the ones between two queries would end the process.
  client.on("error", () => {});
  const abort = () => socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  return {
    client,
    server: `PostgreSQL at ${client.host}:${client.port}/${client.database}`,
    hasAnswered: () => socket.bytesRead > 0,
    async connect(timeoutMs) {
      const error = Object.assign(new Error(`not logged in after ${timeoutMs} ms`), { code: "ETIMEDOUT" });
      const timer = setTimeout(() => socket.destroy(error), timeoutMs);
      try {
        await client.connect();
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      signal.removeEventListener("abort", abort);
      if (socket.connecting) socket.destroy();
      client.end().catch(() => {});
      socket.destroySoon();
    },
  };
}

function clientConfig(config: ReadyConfig): ClientConfig {
  const { url, host = "localhost", port = 5432 } = config;
  const base = { application_name: "poppo-ops probe", ...sslConfig(config.ssl) };
  if (url !== undefined) return { ...base, connectionString: resolveSecret(url) };
  const user = resolveSecret(config.user ?? "postgres");
  const { database = user, password } = config;
  return { ...base, host, port, user, database, ...(password && { password: resolveSecret(password) }) };
}

const sslConfig = (ssl: ReadyConfig["ssl"]): Pick<ClientConfig, "ssl"> =>
  ssl === undefined ? {} : { ssl: ssl === "disable" ? false : { rejectUnauthorized: ssl === "verify-full" } };
