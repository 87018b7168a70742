import { connect } from "@nats-io/transport-node";
import type { App } from "../kernel/app.js";
import { localHints } from "../kernel/hints.js";
import type { RemoteHints } from "./postgres-hints.js";

const SUBJECT = "poppo.hints";

/** Hints between replicas by core NATS: nothing is stored, nothing is acknowledged, the table stays the truth. */
export async function natsHints({ log }: Pick<App, "clock" | "log">, url: string): Promise<RemoteHints> {
  const local = localHints();
  const nats = await connect({
    servers: url.split(","),
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    name: "poppo-ops",
  });
  const subscription = nats.subscribe(SUBJECT, {
    callback: (error, message) => {
      if (error) log.debug({ err: error }, "a hint could not be read");
      else local.hear(message.string());
    },
  });
  return {
    subscribe: local.subscribe,
    publish(topic) {
      local.publish(topic);
      try {
        nats.publish(SUBJECT, topic);
      } catch (error) {
        log.debug({ err: error }, "a hint was lost; the polls make up for it");
      }
    },
    async stop() {
      subscription.unsubscribe();
      await nats.close();
    },
  };
}
