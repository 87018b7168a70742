import { readdirSync } from "node:fs";
import { PoppoError } from "@poppo-ops/client";
import type { OutputBatch } from "@poppo-ops/plugins/wire";
import { expect, onTestFinished, test } from "vitest";
import { manualClock } from "../testing/manual-clock.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { Outputs } from "./outputs.js";

function setUp(dir: string) {
  const clock = manualClock();
  const batches: OutputBatch[] = [];
  const server = { refusal: undefined as Error | undefined };
  const outputs = new Outputs({
    ...{ dir, clock, random: () => 1, warn() {}, redact: (text) => text.replaceAll("hunter2", "[redacted]") },
    async send(batch) {
      if (server.refusal) throw server.refusal;
      batches.push(batch);
      return { seq: batch.chunks.at(-1)?.seq ?? -1 };
    },
  });
  onTestFinished(() => outputs.stop());
  const text = () => batches.flatMap(({ chunks }) => chunks.map((chunk) => chunk.text)).join("");
  return { outputs, clock, batches, server, text };
}

test("what could not be sent is sent by the next process, and the file is gone afterwards", async () => {
  using folder = temporaryFolder();
  const first = setUp(folder.path);
  const log = first.outputs.open("c1");
  log.write("stdout", "one\ntwo\n");
  log.end();
  const second = setUp(folder.path);
  second.outputs.connected();
  await second.clock.advance(0);
  expect(second.text()).toBe("one\ntwo\n");
  expect(readdirSync(folder.path)).toEqual([]);
});

test("a secret cut in two by the pipe is redacted whole, and a character is never split", async () => {
  using folder = temporaryFolder();
  const { outputs, clock, text } = setUp(folder.path);
  outputs.connected();
  const log = outputs.open("c1");
  const bytes = Buffer.from("password hunter2 für 😀\n");
  for (const byte of bytes) {
    log.write("stdout", Buffer.from([byte]));
    await clock.advance(10);
  }
  await clock.advance(50);
  expect(text()).toBe("password [redacted] für 😀\n");
});

test("a line without an end is shown after a moment", async () => {
  using folder = temporaryFolder();
  const { outputs, clock, text } = setUp(folder.path);
  outputs.connected();
  outputs.open("c1").write("stdout", "Continue? ");
  await clock.advance(400);
  expect(text()).toBe("Continue? ");
});

test("progress without line ends is shown while it goes on", async () => {
  using folder = temporaryFolder();
  const { outputs, clock, text } = setUp(folder.path);
  outputs.connected();
  const log = outputs.open("c1");
  for (let i = 0; i < 10; i++) {
    log.write("stdout", ".");
    await clock.advance(100);
  }
  expect(text().length).toBeGreaterThanOrEqual(7);
});

test("a prompt is shown whatever the other stream says, and a line that was completed has no part in it", async () => {
  using folder = temporaryFolder();
  const { outputs, clock, text } = setUp(folder.path);
  outputs.connected();
  const log = outputs.open("c1");
  log.write("stderr", "Continue? ");
  log.write("stdout", "begin");
  await clock.advance(200);
  log.write("stdout", " and end\npassword hun");
  await clock.advance(100);
  expect(text()).toContain("Continue? ");
  log.write("stdout", "ter2\n");
  await clock.advance(100);
  expect(text()).toBe("begin and end\nContinue? password [redacted]\n");
});

test("busy output gathers: many lines, few messages", async () => {
  using folder = temporaryFolder();
  const { outputs, clock, batches } = setUp(folder.path);
  outputs.connected();
  const log = outputs.open("c1");
  for (let i = 0; i < 1000; i++) {
    log.write("stdout", `line ${i}\n`);
    await clock.advance(1);
  }
  expect(batches.length).toBeLessThanOrEqual(25);
});

test("output the server does not know is given up at once; a passing failure is not", async () => {
  using folder = temporaryFolder();
  const { outputs, clock, server, text } = setUp(folder.path);
  outputs.connected();
  server.refusal = new PoppoError("UNAVAILABLE", "the database is away");
  outputs.open("c1").write("stdout", "kept\n");
  await clock.advance(1000);
  server.refusal = new PoppoError("NOT_FOUND", "no such command");
  outputs.open("c2").write("stdout", "unwanted\n");
  await clock.advance(100);
  expect(readdirSync(folder.path)).toEqual(["c1.jsonl"]);
  server.refusal = undefined;
  await clock.advance(64_000);
  expect(text()).toBe("kept\n");
});
