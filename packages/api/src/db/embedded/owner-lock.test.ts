import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "./fixtures/server-process.js";
import { AlreadyOwned, takeOwnership } from "./owner-lock.js";

async function folder(): Promise<string> {
  const { path, ...temporary } = await temporaryFolder();
  onTestFinished(() => temporary[Symbol.asyncDispose]());
  return path;
}

test("of many that want a folder at once exactly one gets it, and the others learn its pid", async () => {
  const path = await folder();
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => takeOwnership(path)));
  const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  expect(refusals).toHaveLength(19);
  for (const refusal of refusals) expect(refusal).toMatchObject({ constructor: AlreadyOwned, pid: process.pid });
  for (const outcome of outcomes) if (outcome.status === "fulfilled") await outcome.value.release();
});

test("a folder that was released can be taken again, and no more than one socket stays behind", async () => {
  const path = await folder();
  for (let round = 0; round < 5; round++) {
    const lock = await takeOwnership(path);
    await lock.release();
  }
  expect(await readdir(path)).toEqual(["owner.5"]);
});

test("what a killed owner left is taken over by exactly one of many", async () => {
  const path = await folder();
  const listen = `require("net").createServer().listen(${JSON.stringify(join(path, "owner.3"))}, () => console.log("up"))`;
  const owner = spawn(process.execPath, ["-e", listen], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void owner.kill("SIGKILL"));
  await once(owner.stdout, "data");
  await expect(takeOwnership(path)).rejects.toThrow(AlreadyOwned);
  owner.kill("SIGKILL");
  await once(owner, "exit");
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => takeOwnership(path)));
  const taken = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  expect(taken).toHaveLength(1);
  await taken[0]!.release();
});

test("an owner that accepts and says nothing is alive", async () => {
  const path = await folder();
  const mute = createServer(() => {});
  onTestFinished(() => void mute.close());
  await once(mute.listen(join(path, "owner.1")), "listening");
  await expect(takeOwnership(path)).rejects.toMatchObject({ constructor: AlreadyOwned, pid: undefined });
});

test("files of other names and sockets of killed newcomers are no owners", async () => {
  const path = await folder();
  await writeFile(join(path, "owner.txt"), "");
  await writeFile(join(path, "new.0123456789ab"), "");
  const lock = await takeOwnership(path);
  await lock.release();
});
