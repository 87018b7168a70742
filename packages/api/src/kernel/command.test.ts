import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { isUnreachable } from "../db/database.js";
import { AppError } from "./app-error.js";
import { act, command } from "./command.js";
import { type TestApp, testApp } from "./testing/test-app.js";

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app[Symbol.asyncDispose]());

const log = async () => (await app.database.pool.query("SELECT * FROM events ORDER BY seq")).rows;
const note = (summary: string) => ({ type: "test.noted", summary });

test("the events of a transaction are numbered in the order they were told, with the actor and one moment", async () => {
  const before = (await log()).length;
  await act(app.as("OPERATOR", "ana"), async ({ emit }) => {
    emit(note("first"));
    emit({ ...note("second"), severity: "P1", payload: { a: [1, "x"] } });
  });
  const [first, second] = (await log()).slice(before);
  expect(first).toMatchObject({ seq: String(before + 1), summary: "first", actor: "ana", payload: {} });
  expect(second).toMatchObject({ seq: String(before + 2), severity: "P1", payload: { a: [1, "x"] } });
  expect(second.at).toEqual(first.at);
});

test("a rollback leaves no hole, changes nothing and tells nobody", async () => {
  const before = (await log()).length;
  const heard: string[] = [];
  const stop = app.hints.subscribe((topic) => heard.push(topic));
  const failing = act(app.as("ADMIN"), async ({ client, emit, hint }) => {
    await client.query("INSERT INTO services (name) VALUES ('half')");
    emit(note("never"));
    hint("access");
    throw new AppError("CONFLICT", "no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(heard).toEqual([]);
  await act(app.as("ADMIN"), async ({ emit }) => emit(note("after")));
  stop();
  expect(heard).toEqual(["events", "test.noted"]);
  const { rows } = await app.database.pool.query("SELECT FROM services");
  expect(rows).toEqual([]);
  expect((await log()).at(-1)).toMatchObject({ seq: String(before + 1), summary: "after" });
});

test("a transaction that fails in its last statement leaves no hole either", async () => {
  const before = (await log()).length;
  const failing = act(app.as("ADMIN"), async ({ emit }) => emit({ ...note("bad"), incidentId: "no uuid" }));
  await expect(failing).rejects.toMatchObject({ code: "22P02" });
  await act(app.as("ADMIN"), async ({ emit }) => emit(note("good")));
  expect((await log()).at(-1)).toMatchObject({ seq: String(before + 1), summary: "good" });
});

test("hints are given once each, after the commit", async () => {
  const heard: unknown[] = [];
  const stop = app.hints.subscribe(async (topic) => heard.push(topic));
  await act(app.as("ADMIN"), async ({ hint }) => {
    for (let i = 0; i < 5; i++) hint("access");
    hint("agent:1");
    expect(heard).toEqual([]);
  });
  stop();
  expect(heard).toEqual(["access", "agent:1"]);
});

test("text that jsonb cannot hold does not fail the transaction of everybody else", async () => {
  await act(app.as("ADMIN"), async ({ emit }) =>
    emit({ ...note("cut \ud83d"), payload: { text: "a\u0000b \\ud83d" } }),
  );
  expect((await log()).at(-1)).toMatchObject({ summary: "cut \ufffd", payload: { text: "a\ufffdb \\ud83d" } });
});

test("of two transactions that wait for each other both succeed", async () => {
  await app.database.pool.query("INSERT INTO services (name) VALUES ('one'), ('two')");
  const bothHoldOne = barrier(2);
  const rename = (first: string, second: string) => {
    let attempts = 0;
    return act(app.as("ADMIN"), async ({ client, emit }) => {
      await client.query("UPDATE services SET owner = $1 WHERE name = $2", [first, first]);
      if (++attempts === 1) await bothHoldOne();
      await client.query("UPDATE services SET owner = $1 WHERE name = $2", [first, second]);
      emit(note(`${first} done`));
      return attempts;
    });
  };
  const attempts = await Promise.all([rename("one", "two"), rename("two", "one")]);
  expect(Math.max(...attempts)).toBeGreaterThan(1);
  const done = (await log()).filter((event) => / done$/.test(event.summary));
  expect(done.map((event) => event.summary).sort()).toEqual(["one done", "two done"]);
});

test("a transaction whose process stands still gives its locks back within seconds, as passing trouble", async () => {
  await app.database.pool.query("INSERT INTO services (name) VALUES ('held')");
  const { rows } = await app.database.pool.query("SHOW idle_in_transaction_session_timeout");
  expect(rows).toEqual([{ idle_in_transaction_session_timeout: "10s" }]);
  const frozen = act(app.as("ADMIN"), async ({ client }) => {
    await client.query("SET LOCAL idle_in_transaction_session_timeout = '50ms'");
    await client.query("UPDATE services SET owner = 'frozen' WHERE name = 'held'");
    await app.database.pool.query("UPDATE services SET owner = 'awake' WHERE name = 'held'");
  });
  const error = await frozen.catch((reason) => reason);
  expect(isUnreachable(error)).toBe(true);
  expect((await app.database.pool.query("SELECT owner FROM services WHERE name = 'held'")).rows).toEqual([
    { owner: "awake" },
  ]);
});

test("a command authorises before it looks at the input, and parses before it begins a transaction", async () => {
  let runs = 0;
  const act = command({
    permission: "service:write",
    input: z.object({ name: z.string().min(1) }),
    run: async (_act, { name }) => {
      runs++;
      return name;
    },
  });
  await expect(act(app.as("VIEWER"), { name: "" })).rejects.toMatchObject({ code: "FORBIDDEN" });
  await expect(act(app.as("OPERATOR"), { name: "" })).rejects.toMatchObject({ code: "BAD_INPUT" });
  expect(runs).toBe(0);
  await expect(act(app.as("OPERATOR"), { name: "web" })).resolves.toBe("web");
});

function barrier(parties: number): () => Promise<void> {
  let arrived = 0;
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    if (++arrived === parties) open();
    return opened;
  };
}
