import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { RaiseIncidentDocument } from "@poppo-ops/client";
import { ADMIN_TOKEN, type ServerProcess } from "../harness/server-process.js";
import type { Row } from "./row.js";
import type { SubscribersInput } from "./subscribers.load.js";

const QUERY =
  "subscription { incidentEvents { cursor caughtUp events { cursor type at actor summary severity payload incident { id number title status severity } } } }";

/** Deliveries of one event stream to many subscribers. */
export async function fanout(server: ServerProcess, quick: boolean): Promise<Row[]> {
  const count = 1000;
  const seconds = quick ? 5 : 10;
  const ours = await subscribers({ url: server.url, token: ADMIN_TOKEN, count, seconds, query: QUERY }, (signal) =>
    raise(server, signal),
  );
  const bare = fork(new URL("./broadcast.load.js", import.meta.url), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  bare.send({ bytes: ours.bytes });
  const [{ url }] = (await once(bare, "message")) as [{ url: string }];
  const limit = await subscribers({ url, count, seconds });
  await ended(bare);
  return [
    {
      id: "fanout",
      value: Math.round(ours.perSecond),
      unit: "deliveries/s",
      limit: Math.round(limit.perSecond),
      note: `pages of ${ours.bytes} bytes on average to ${count} subscribers while incidents are raised; limit: bare ws broadcast of as many bytes`,
    },
  ];
}

async function subscribers(input: SubscribersInput, during: (signal: AbortSignal) => Promise<void> = async () => {}) {
  const child = fork(new URL("./subscribers.load.js", import.meta.url), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.send(input);
  await once(child, "message");
  const stop = new AbortController();
  const work = during(stop.signal);
  const [result] = (await once(child, "message")) as [{ perSecond: number; bytes: number }];
  stop.abort();
  await work;
  await ended(child);
  return result;
}

/** Enough events that there is always one to send. */
async function raise({ client }: ServerProcess, signal: AbortSignal): Promise<void> {
  const worker = async (name: number) => {
    for (let i = 0; !signal.aborted; i++)
      await client.request(RaiseIncidentDocument, { input: { title: `bench ${name}/${i}`, severity: "P3" } });
  };
  await Promise.all([1, 2].map(worker));
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill();
  await gone;
}
