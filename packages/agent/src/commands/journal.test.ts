import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newId } from "../ids.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { Journal } from "./journal.js";

const started = (id: string, fencingToken = 1) => ({ id, fencingToken, target: "docker/web", bootId: "boot" });

test("remembers over restarts what was started, how it ended and what was reported", () => {
  using folder = temporaryFolder();
  const [running, ended, reported] = [newId(), newId(), newId()];
  const journal = new Journal(folder.path);
  for (const id of [running, ended, reported]) journal.markStarted(started(id));
  journal.markGroup(running, { pid: 7, startTime: 8 });
  for (const id of [ended, reported]) journal.markEnded(id, { end: "SUCCEEDED", summary: "done" });
  journal.markReported(reported);
  const again = new Journal(folder.path);
  expect(again.unfinished()).toMatchObject([{ id: running, groups: [{ pid: 7, startTime: 8 }] }]);
  expect(again.unreported().map(({ id }) => id)).toEqual([ended]);
  expect(again.find(reported)?.end?.end).toBe("SUCCEEDED");
});

test("the first end counts, over restarts too", () => {
  using folder = temporaryFolder();
  const id = newId();
  const journal = new Journal(folder.path);
  journal.markStarted(started(id));
  journal.markEnded(id, { end: "CANCELLED", summary: "first" });
  expect(new Journal(folder.path).markEnded(id, { end: "SUCCEEDED", summary: "second" }).end).toBe("CANCELLED");
});

test("a torn line loses itself alone", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "journal.jsonl");
  const [before, after] = [newId(), newId()];
  new Journal(folder.path).markStarted(started(before));
  const journal = new Journal(folder.path);
  appendFileSync(path, '{"type":"started","id":"torn');
  journal.markStarted(started(after, 4));
  const again = new Journal(folder.path);
  expect(again.unfinished().map(({ id }) => id)).toEqual([before, after]);
  expect(again.highestToken("docker/web")).toBe(4);
});

test("forgets old commands, never their fencing tokens", () => {
  using folder = temporaryFolder();
  const lines = Array.from({ length: 1500 }, (_, i) => [
    { type: "started", ...started(`c${i}`, i) },
    { type: "end", id: `c${i}`, end: { end: "SUCCEEDED", summary: "" } },
    { type: "reported", id: `c${i}` },
  ]).flat();
  writeFileSync(join(folder.path, "journal.jsonl"), lines.map((line) => JSON.stringify(line)).join("\n"));
  const journal = new Journal(folder.path);
  expect(journal.find("c0")).toBeUndefined();
  expect(journal.find("c1499")).toBeDefined();
  expect(journal.highestToken("docker/web")).toBe(1499);
  expect(readFileSync(join(folder.path, "journal.jsonl"), "utf8").split("\n").length).toBeLessThan(3100);
});
