import { createHash } from "node:crypto";
import type { SubscriberLedger } from "../subscriber-ledger.js";
import type { World } from "../world.js";
import { type Check, type Finding, some } from "./check.js";

interface Logged {
  seq: number;
  type: string;
  summary: string;
  hash: string;
  body: string;
}

const PAGE = 5000;

/**
 * Events are dense and ordered, their hashes make a chain, and every subscriber saw each of them once. Goes on from where it
 * was the last time; what it verified then cannot have changed without breaking the chain.
 */
export function eventsCheck(): Check {
  let last = 0;
  let hash = "";
  const log = new Map<number, Logged>();
  return async (world): Promise<Finding> => {
    const violations: string[] = [];
    for await (const event of logAfter(world, last)) {
      if (event.seq !== last + 1) violations.push(`event ${event.seq} follows ${last} in the log`);
      const expected = createHash("sha256")
        .update(hash + event.body)
        .digest("hex");
      if (event.hash !== expected) violations.push(`the hash of event ${event.seq} does not continue the chain`);
      ({ seq: last, hash } = event);
      log.set(event.seq, event);
    }
    for (const subscriber of world.subscribers) violations.push(...compare(subscriber, log));
    const slowest = Math.min(...world.subscribers.map((subscriber) => subscriber.compared));
    for (const seq of log.keys()) if (seq <= slowest) log.delete(seq);
    const received = world.subscribers.reduce((sum, { received }) => sum + received, 0);
    return { verified: `${last} events, ${received} deliveries`, violations };
  };
}

/** The text that is hashed is put together here, and not by the database's own function. */
async function* logAfter({ database }: World, after: number): AsyncIterable<Logged> {
  for (let page: Logged[] = []; ; ) {
    page = await database.query<Logged>(
      `SELECT seq::int, type, summary, hash, jsonb_build_array(seq, type, (extract(epoch FROM at) * 1000)::bigint, actor,
         incident_id, service_id, severity, summary, payload)::text AS body
       FROM events WHERE seq > $1 ORDER BY seq LIMIT ${PAGE}`,
      [page.at(-1)?.seq ?? after],
    );
    yield* page;
    if (page.length < PAGE) return;
  }
}

function compare(subscriber: SubscriberLedger, log: ReadonlyMap<number, Logged>): string[] {
  const known = subscriber.unchecked.filter(({ seq }) => log.has(seq));
  const strange = known.filter(({ seq, type, summary }) => {
    const logged = log.get(seq)!;
    return logged.type !== type || logged.summary !== summary;
  });
  const seen = new Set(known.map(({ seq }) => seq));
  const upTo = known.at(-1)?.seq ?? subscriber.compared;
  const missing = [...log.values()].filter(
    ({ seq, type }) => seq > subscriber.compared && seq <= upTo && type.startsWith(subscriber.family) && !seen.has(seq),
  );
  const foreign = known.filter(({ type }) => !type.startsWith(subscriber.family));
  subscriber.compared = upTo;
  subscriber.unchecked = subscriber.unchecked.filter(({ seq }) => !log.has(seq));
  const tell = (events: { seq: number }[], what: string) =>
    events.length > 0 ? [`${subscriber.name} ${what}: ${some(events.map(({ seq }) => seq))}`] : [];
  return [
    ...subscriber.violations.splice(0),
    ...tell(strange, "was given other events than the log holds"),
    ...tell(foreign, "was given events that its filter leaves out"),
    ...tell(missing, "was not given events that its filter lets through"),
  ];
}
