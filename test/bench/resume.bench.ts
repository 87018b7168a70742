import { IncidentSnapshotDocument } from "@poppo-ops/client";
import { ADMIN_TOKEN, type ServerProcess, startServerProcess } from "../harness/server-process.js";
import type { BroadcastInput } from "./broadcast.load.js";
import { openEventSource } from "./event-source.js";
import { asAdmin } from "./http-load.js";
import { startLoad } from "./load-process.js";
import type { ResumeInput, ResumeOutput } from "./resume.load.js";
import { type Row, round } from "./row.js";

const SUBSCRIBERS = 5000;
const EVENTS = 1000;
const QUERY =
  "subscription ($after: Cursor) { incidentEvents(after: $after) { caughtUp cursor events { cursor type at actor summary severity payload incident { id number title status severity } } } }";

/** Everybody comes back at once after a restart and has missed something. The database, another server's, stays up. */
export async function resume({ databaseUrl }: ServerProcess): Promise<Row[]> {
  await using server = await startServerProcess({ DATABASE_URL: databaseUrl });
  await using source = await openEventSource(server, 1);
  const { incidentSnapshot } = await server.client.request(IncidentSnapshotDocument, { first: 1 });
  const variables = { after: incidentSnapshot.cursor };
  const { url } = server;
  const payload = { query: QUERY, variables };
  const ours = await crowd(
    { url, token: ADMIN_TOKEN, count: SUBSCRIBERS, payload, live: '"caughtUp":true' },
    async () => {
      await server.stop();
      for (let i = 0; i < EVENTS; i++) source.commit();
      await source.idle();
      await server.start();
      await longestBlock(server);
    },
  );
  const block = await longestBlock(server);
  expectEachOnce(ours.texts);

  const broadcast: BroadcastInput = { texts: ours.texts, onConnect: true };
  await using bare = startLoad<BroadcastInput, string>(new URL("./broadcast.load.js", import.meta.url), broadcast);
  const limit = await crowd({ url: await bare.answer, count: SUBSCRIBERS, messages: ours.texts.length });
  return [
    {
      id: "resume",
      value: round(ours.seconds, 2),
      unit: "s",
      limit: round(limit.seconds, 2),
      note: `until ${SUBSCRIBERS} subscribers, back in one moment after a restart, have their ${EVENTS} missed events and are live, without the limit of 500 new connections a second that a replica has by itself; limit: bare ws that sends as many bytes`,
    },
    {
      id: "resume.block",
      value: round(block, 0),
      unit: "ms",
      note: "the longest block of the server's event loop meanwhile",
    },
  ];
}

async function crowd(input: ResumeInput, whenConnected: () => Promise<void> = async () => {}): Promise<ResumeOutput> {
  let connect = () => {};
  const connected = new Promise<void>((resolve) => {
    connect = resolve;
  });
  await using clients = startLoad<ResumeInput, ResumeOutput>(
    new URL("./resume.load.js", import.meta.url),
    input,
    connect,
  );
  await Promise.race([connected, clients.answer]);
  await whenConnected();
  clients.tell("resume");
  return await clients.answer;
}

/** Since it was last asked. Milliseconds. */
async function longestBlock({ url }: ServerProcess): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`, { headers: asAdmin })).text();
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(metrics)![1]) * 1000;
}

/** @throws when the subscriber that was looked at has missed an event or has one twice */
function expectEachOnce(texts: string[]): void {
  const events = texts.flatMap((text) => JSON.parse(text).payload.data.incidentEvents.events as { cursor: string }[]);
  const cursors = new Set(events.map(({ cursor }) => cursor));
  if (events.length !== EVENTS || cursors.size !== EVENTS)
    throw new Error(
      `a subscriber was sent ${events.length} events, ${cursors.size} different ones, instead of ${EVENTS}`,
    );
}
