import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { act } from "../kernel/command.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";

let app: TestApp;
beforeAll(async () => {
  app = await testApp({ poolSize: 25 });
});
afterAll(() => app[Symbol.asyncDispose]());

const rows = async (sql: string) => (await app.database.pool.query(sql)).rows;

test("while 50 transactions of random length commit, a reader that polls sees no gap and no step back", async () => {
  const seen: number[] = [];
  let writing = true;
  const reader = (async () => {
    for (let last = false; !last; ) {
      last = !writing;
      const after = seen.at(-1) ?? 0;
      const { rows } = await app.database.pool.query("SELECT seq FROM events WHERE seq > $1 ORDER BY seq", [after]);
      seen.push(...rows.map((row) => Number(row.seq)));
    }
  })();
  const transaction = async (i: number) => {
    const outcome = act(app.as("ADMIN"), async ({ emit, client }) => {
      await pause(Math.random() * 20);
      for (let n = 0; n <= i % 3; n++) emit({ type: "test.noted", summary: `${i}.${n}` });
      await client.query("SELECT pg_sleep(random() / 100)");
      if (i % 10 === 9) throw new Error("rolled back");
    });
    await outcome.catch(() => {});
  };
  await Promise.all(Array.from({ length: 50 }, (_, i) => transaction(i)));
  writing = false;
  await reader;

  const committed = (await rows("SELECT seq, summary FROM events ORDER BY seq")).map((row) => Number(row.seq));
  expect(committed.length).toBeGreaterThan(80);
  expect(committed).toEqual(committed.map((_, i) => i + 1));
  expect(seen).toEqual(committed);
  expectNeighbours((await rows("SELECT summary FROM events ORDER BY seq")).map((row) => row.summary));
});

/** The events of one transaction stand next to each other, in their order. */
function expectNeighbours(summaries: string[]): void {
  for (const first of summaries.filter((summary) => summary.endsWith(".0"))) {
    const i = Number.parseInt(first, 10);
    const at = summaries.indexOf(first);
    expect(summaries.slice(at, at + (i % 3) + 1)).toEqual(Array.from({ length: (i % 3) + 1 }, (_, n) => `${i}.${n}`));
  }
}

/** What anybody can do with what `auditLog` gives: SHA-256 of the hash before and the body. */
async function firstBrokenLink(): Promise<number | null> {
  let hash = "";
  for (const { seq, body, hash: stored } of await rows(
    "SELECT seq, event_body(e) AS body, hash FROM events e ORDER BY seq",
  )) {
    hash = createHash("sha256")
      .update(hash + body)
      .digest("hex");
    if (hash !== stored) return Number(seq);
  }
  return null;
}

test("the hash chain is recomputed outside the database, and names the first row that was tampered with", async () => {
  const payload = { b: 1.5, a: { z: null, y: [true] } };
  await act(app.as("ADMIN", "ána ☂"), async ({ emit }) => {
    for (let i = 0; i < 5; i++) emit({ type: "test.noted", summary: `"${i}" ünicode ☂ and \\`, payload });
  });
  expect(await firstBrokenLink()).toBeNull();
  const [{ head }] = await rows("SELECT head FROM event_head");
  const owner = new pg.Client(app.url);
  await owner.connect();
  await owner.query("ALTER TABLE events DISABLE TRIGGER ALL");
  await owner.query("UPDATE events SET summary = 'nothing happened' WHERE seq = $1", [head - 2]);
  expect(await firstBrokenLink()).toBe(head - 2);
  await owner.query("ALTER TABLE events ENABLE TRIGGER ALL");
  await owner.end();
});

test.each(["UPDATE events SET actor = 'nobody'", "DELETE FROM events", "TRUNCATE events"])(
  "%s is refused",
  async (sql) => {
    await expect(app.database.pool.query(sql)).rejects.toThrow("events are append-only");
  },
);
