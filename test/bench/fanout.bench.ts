import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { RaiseIncidentDocument, unwrap } from "@poppo-ops/client";
import pg from "pg";
import { ADMIN_TOKEN, type ServerProcess } from "../harness/server-process.js";
import type { Row } from "./row.js";
import type { SubscribersInput } from "./subscribers.load.js";

const QUERY =
  "subscription { incidentEvents { cursor caughtUp events { cursor type at actor summary severity payload incident { id number title status severity } } } }";

/** Messages under way to every subscriber: one is sent as soon as an earlier one has reached all of them. */
const UNDER_WAY = 3;

/** Deliveries of single events to many subscribers. */
export async function fanout(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const count = 1000;
  const seconds = quick ? 5 : 10;
  const database = new pg.Client(server.databaseUrl);
  await database.connect();
  const publish = await publisher(server, database);
  const ours = await subscribers({ url: server.url, token: ADMIN_TOKEN, count, seconds, query: QUERY }, publish);
  await database.end();

  const bare = fork(new URL("./broadcast.load.js", import.meta.url), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  bare.send({ bytes: ours.bytes });
  const [{ url }] = (await once(bare, "message")) as [{ url: string }];
  const limit = await subscribers({ url, count, seconds }, () => bare.send("next"));
  await ended(bare);
  return [
    {
      id: "fanout",
      value: Math.round(ours.perSecond),
      unit: "deliveries/s",
      limit: Math.round(limit.perSecond),
      note: `one event after the other, ${ours.bytes} bytes, to ${count} subscribers; limit: bare ws broadcast of as many bytes`,
    },
  ];
}

/** Commits an event without the cost of the mutation that would make it. */
async function publisher(server: ServerProcess, database: pg.Client): Promise<() => void> {
  const { raiseIncident } = await server.client.request(RaiseIncidentDocument, {
    input: { title: "bench", severity: "P3" },
  });
  const { incident } = unwrap(raiseIncident);
  const event = {
    type: "incident.note_added",
    at: Date.now(),
    actor: "bench",
    incidentId: incident!.id,
    severity: "P3",
    summary: "a note",
    payload: { text: "a note" },
  };
  return () => {
    void database.query("SELECT append_events($1)", [JSON.stringify([event])]);
    void database.query("SELECT pg_notify('poppo_hints', E'bench\\nevents')");
  };
}

async function subscribers(input: SubscribersInput, next: () => void): Promise<{ perSecond: number; bytes: number }> {
  const child = fork(new URL("./subscribers.load.js", import.meta.url), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.send(input);
  await once(child, "message");
  for (let i = 0; i < UNDER_WAY; i++) next();
  for (;;) {
    const [message] = (await once(child, "message")) as ["round" | { perSecond: number; bytes: number }];
    if (message === "round") {
      next();
      continue;
    }
    await ended(child);
    return message;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill();
  await gone;
}
