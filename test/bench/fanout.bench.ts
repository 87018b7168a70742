import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { RaiseIncidentDocument, unwrap } from "@poppo-ops/client";
import pg from "pg";
import { ADMIN_TOKEN, type ServerProcess } from "../harness/server-process.js";
import type { Row } from "./row.js";
import type { SubscribersInput } from "./subscribers.load.js";

const QUERY =
  "subscription { incidentEvents { cursor caughtUp events { cursor type at actor summary severity payload incident { id number title status severity } } } }";

/** Messages of the bare broadcast under way: one is sent as soon as an earlier one has reached everybody. */
const UNDER_WAY = 3;
/** Shorter than a page takes to a thousand sockets: there is always something to send, and what waits shares a page. */
const PUBLISH_EVERY_MS = 12;

/** Deliveries of an event stream to many subscribers. */
export async function fanout(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const count = 1000;
  const seconds = quick ? 5 : 10;
  const database = new pg.Client(server.databaseUrl);
  await database.connect();
  const publish = await publisher(server, database);
  const stop = new AbortController();
  const publishing = publish(stop.signal);
  const ours = await subscribers({ url: server.url, token: ADMIN_TOKEN, count, seconds, query: QUERY }, () => {});
  stop.abort();
  await publishing;
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
      note: `an event every ${PUBLISH_EVERY_MS} ms to ${count} subscribers, in pages of ${ours.bytes} bytes on average; limit: bare ws broadcast of as many bytes`,
    },
  ];
}

/** Commits an event without the cost of the mutation that would make it. */
async function publisher(server: ServerProcess, database: pg.Client): Promise<(signal: AbortSignal) => Promise<void>> {
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
  // One at a time: a backlog would outlive the measurement.
  return async (signal) => {
    while (!signal.aborted) {
      await database.query("SELECT append_events($1)", [JSON.stringify([event])]);
      await database.query("SELECT pg_notify('poppo_hints', E'bench\\nevents')");
      await sleep(PUBLISH_EVERY_MS);
    }
  };
}

interface Received {
  perSecond: number;
  bytes: number;
}

async function subscribers(input: SubscribersInput, next: () => void): Promise<Received> {
  const child = fork(new URL("./subscribers.load.js", import.meta.url), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.send(input);
  // A listener, not `once` in a loop: two messages may come in one turn.
  const result = await new Promise<Received>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the subscribers ended with ${code}`)));
    child.on("message", (message: "ready" | "round" | Received) => {
      if (typeof message === "object") resolve(message);
      else for (let i = 0; i < (message === "ready" ? UNDER_WAY : 1); i++) next();
    });
  });
  await ended(child);
  return result;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill();
  await gone;
}
