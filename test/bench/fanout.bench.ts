import { ADMIN_TOKEN, type ServerProcess } from "../harness/server-process.js";
import type { BroadcastInput } from "./broadcast.load.js";
import { type EventSource, openEventSource } from "./event-source.js";
import { startLoad } from "./load-process.js";
import { measured, peerOf, startPeer } from "./peer.js";
import type { Row } from "./row.js";
import type { SubscribersInput, SubscribersOutput } from "./subscribers.load.js";

const SUBSCRIBERS = 5000;
const FILTERS = 50;
/** Messages under way: the next one is sent as soon as an earlier one has reached everybody. */
const UNDER_WAY = 3;

const PAGE =
  "cursor caughtUp events { cursor type at actor summary severity payload incident { id number title status severity } }";
const QUERY = `subscription ($filter: EventFilter) { incidentEvents(filter: $filter) { ${PAGE} } }`;

/** One event stream to many subscribers of the same query. */
export async function fanout(server: ServerProcess, quick: boolean): Promise<Row[]> {
  await using source = await openEventSource(server, 1);
  return [await row("fanout", source, server, quick, `${SUBSCRIBERS} subscribers of one query`)];
}

/** The same stream in as many filters as there are services; a subscriber sees the events of one. */
export async function fanoutMixed(server: ServerProcess, quick: boolean): Promise<Row[]> {
  await using source = await openEventSource(server, FILTERS);
  return [await row("fanout.mixed", source, server, quick, `${SUBSCRIBERS} subscribers in ${FILTERS} filters`)];
}

async function row(id: string, source: EventSource, server: ServerProcess, quick: boolean, who: string): Promise<Row> {
  const subscriptions = source.filters.map((filter) => ({ query: QUERY, variables: { filter } }));
  const input = { count: SUBSCRIBERS, seconds: quick ? 5 : 10, subscriptions };
  const texts: string[] = [];
  const ours = await drive(
    { ...input, url: server.url, token: ADMIN_TOKEN },
    () => source.commit(),
    (text) => {
      const count = eventsOf(text).length;
      if (count > 0) texts.push(text);
      return count;
    },
  );

  await using bare = startLoad<BroadcastInput, string>(new URL("./broadcast.load.js", import.meta.url), { texts });
  const limit = await drive({ ...input, url: await bare.answer, subscriptions: undefined }, () => bare.tell("next"));

  const yoga = await measured(async () => {
    await using peer = startPeer<object, string>("yoga", { pages: texts.map(pageOf), filters: source.filters });
    const url = await peer.answer;
    return await drive({ ...input, url }, () => peer.tell("next"));
  });
  return {
    id,
    value: Math.round(ours.deliveriesPerSecond),
    unit: "deliveries/s",
    limit: Math.round(limit.deliveriesPerSecond),
    peers: [peerOf("graphql-yoga", yoga, ({ deliveriesPerSecond }) => Math.round(deliveriesPerSecond))],
    note: `${who}, messages of ${Math.round(ours.bytesPerDelivery)} bytes on average, ${UNDER_WAY} under way; limit: bare ws broadcast of the same messages`,
  };
}

const pageOf = (text: string) => JSON.parse(text).payload.data.incidentEvents;
const eventsOf = (text: string): unknown[] => pageOf(text).events;

/** `next` makes a message for everybody; `counts` says how many of them the last subscriber just received as one. */
async function drive(
  input: SubscribersInput,
  next: () => void,
  counts: (text: string) => number = () => 1,
): Promise<SubscribersOutput> {
  await using clients = startLoad<SubscribersInput, SubscribersOutput>(
    new URL("./subscribers.load.js", import.meta.url),
    input,
    (said) => {
      for (let i = said === "ready" ? UNDER_WAY : counts(said as string); i > 0; i--) next();
    },
  );
  return await clients.answer;
}
