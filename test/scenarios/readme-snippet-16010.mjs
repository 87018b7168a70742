import { createClient } from "graphql-ws";
import WebSocket from "ws";

const client = createClient({
  url: `${process.env.POPPO_URL ?? "http://127.0.0.1:3000"}/graphql`.replace(/^http/, "ws"),
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${process.env.POPPO_TOKEN}` },
  retryAttempts: Infinity,
});

const variables = { after: null };
const pages = client.iterate({
  query: `subscription ($after: Cursor) {
    incidentEvents(after: $after) { cursor events { type summary incident { number severity status } } }
  }`,
  variables,
});
for await (const { data } of pages) {
  for (const event of data.incidentEvents.events) console.log(event.type, event.summary);
  variables.after = data.incidentEvents.cursor; // a reconnect goes on from here
}
