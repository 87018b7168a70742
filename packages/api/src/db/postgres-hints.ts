import pg from "pg";
import type { App } from "../kernel/app.js";
import { type Hints, localHints } from "../kernel/hints.js";
import { newId } from "../kernel/ids.js";
import { hintBatch, payloads } from "./hint-batch.js";

const CHANNEL = "poppo_hints";
/** PostgreSQL refuses a NOTIFY payload of 8,000 bytes and more. */
const MAX_PAYLOAD = 7900;
/** From one NOTIFY to the next: what is told meanwhile shares it. Each is a commit and wakes every replica. */
const PAUSE_MS = 10;

export interface RemoteHints extends Hints {
  stop(): Promise<void>;
}

/**
 * Hints between replicas by LISTEN/NOTIFY, on one connection that listens and one statement per flush. Committing a
 * NOTIFY serialises (about 500/s), so never one per result: what comes together in a turn goes out together.
 */
export function postgresHints(
  { clock, log, database }: Pick<App, "clock" | "log" | "database">,
  url: string,
): RemoteHints {
  const local = localHints();
  // In every payload's first line: who sent it has acted on it already, and would do all its reads twice.
  const self = newId();
  const stopping = new AbortController();
  const batch = hintBatch(
    async (topics) => {
      for (const payload of payloads(topics, MAX_PAYLOAD, self))
        await database.pool.query({ ...NOTIFY, values: [CHANNEL, payload] });
      await clock.sleep(PAUSE_MS, stopping.signal);
    },
    (error) => log.debug({ err: error }, "a hint was lost; the polls make up for it"),
  );
  const hear = (payload: string) => {
    const [sender, ...heard] = payload.split("\n");
    if (sender !== self) heard.forEach(local.hear);
  };
  const listening = listen(url, hear, stopping.signal, { clock, log });

  return {
    subscribe: local.subscribe,
    publish(topic) {
      local.publish(topic);
      batch.add(topic);
    },
    async stop() {
      stopping.abort();
      await batch.idle();
      await listening;
    },
  };
}

const NOTIFY = { name: "hint", text: "SELECT pg_notify($1, $2)" };

async function listen(
  url: string,
  onPayload: (payload: string) => void,
  signal: AbortSignal,
  { clock, log }: Pick<App, "clock" | "log">,
): Promise<void> {
  while (!signal.aborted) {
    const client = new pg.Client({
      connectionString: url,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      application_name: "poppo-ops hints",
    });
    const ended = new Promise<void>((resolve) => {
      client.once("end", resolve);
      client.once("error", () => resolve());
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    client.on("notification", ({ payload }) => payload && onPayload(payload));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      await ended;
    } catch (error) {
      log.debug({ err: error }, "cannot listen for hints; trying again");
    }
    client.on("error", () => {});
    await client.end().catch(() => {});
    await clock.sleep(500, signal);
  }
}
