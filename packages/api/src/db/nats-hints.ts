import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { App } from "../kernel/app.js";
import { localHints } from "../kernel/hints.js";
import { hintBatch, payloads } from "./hint-batch.js";
import { natsServers } from "./nats-servers.js";
import type { RemoteHints } from "./postgres-hints.js";

/** NATS refuses a message of more than a mebibyte unless it is told otherwise. */
const MAX_PAYLOAD = 64 * 1024;
const RETRY_MS = 500;
const FAREWELL_MS = 1_000;

/**
 * Hints between replicas by core NATS: nothing is stored, nothing is acknowledged, the table stays the truth. So nobody
 * waits for NATS: while it is away hints are dropped, and replicas hear of each other by their polls.
 */
export function natsHints({ clock, log, database }: Pick<App, "clock" | "log" | "database">, url: string): RemoteHints {
  const local = localHints();
  const servers = natsServers(url);
  const stopping = new AbortController();
  let line: Line | undefined;
  const lost = (error: unknown) => log.debug({ err: error }, "a hint was lost; the polls make up for it");
  const batch = hintBatch((topics) => {
    // What is published while it is away would pile up in the library, to be sent when it is old.
    if (line?.isUp) for (const payload of payloads(topics, MAX_PAYLOAD)) line.nats.publish(line.subject, payload);
  }, lost);

  const stayConnected = async (signal: AbortSignal) => {
    for (let told = false; !signal.aborted; told = true) {
      try {
        // Two installations may share one NATS.
        const { rows } = await database.pool.query<{ id: string }>("SELECT id FROM installation");
        line = await open(`poppo.${rows[0]!.id}.hints`);
        await Promise.race([follow(line), aborted(signal)]);
      } catch (error) {
        if (!told) log.warn({ err: error }, AWAY);
      }
      if (line) await hangUp(line);
      line = undefined;
      await clock.sleep(RETRY_MS, signal);
    }
  };

  async function open(subject: string): Promise<Line> {
    const nats = await connect({
      ...servers,
      name: "poppo-ops",
      // A replica has acted on its own hints already, and would do all its reads twice.
      noEcho: true,
      timeout: 3_000,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RETRY_MS,
      reconnectJitter: RETRY_MS,
      // Credentials that are wrong now are put right on the NATS side, without a restart here.
      ignoreAuthErrorAbort: true,
      // One that is frozen is given up after the third.
      pingInterval: 5_000,
      maxPingOut: 2,
    });
    nats.subscribe(subject, {
      callback: (error, message) => {
        if (error) log.warn({ err: error }, "NATS does not let this replica hear hints");
        else message.string().split("\n").forEach(local.hear);
      },
    });
    log.info({ nats: nats.getServer() }, "hints go by NATS");
    return { nats, subject, isUp: true };
  }

  /** Until the library gives the connection up for good. */
  async function follow(followed: Line): Promise<void> {
    for await (const status of followed.nats.status()) {
      if (status.type === "disconnect") {
        if (followed.isUp) log.warn({ nats: status.server }, AWAY);
        followed.isUp = false;
      } else if (status.type === "reconnect") {
        followed.isUp = true;
        log.info({ nats: status.server }, "hints go by NATS");
      } else if (status.type === "error") log.warn({ err: status.error }, "NATS refuses");
    }
  }

  /** What was published goes out, unless nobody takes it. */
  async function hangUp({ nats, isUp }: Line): Promise<void> {
    if (isUp) await Promise.race([nats.flush(), clock.sleep(FAREWELL_MS)]).catch(lost);
    await nats.close().catch(lost);
  }

  const connected = stayConnected(stopping.signal);
  return {
    subscribe: local.subscribe,
    publish(topic) {
      local.publish(topic);
      batch.add(topic);
    },
    async stop() {
      await batch.idle();
      stopping.abort();
      await connected;
    },
  };
}

const AWAY = "NATS is away; until it is back, replicas hear of each other once a second";

interface Line {
  nats: NatsConnection;
  subject: string;
  isUp: boolean;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
