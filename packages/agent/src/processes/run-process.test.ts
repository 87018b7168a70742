import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { systemClock as clock } from "../clock.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { runProcess } from "./run-process.js";

const options = (argv: [string, ...string[]]) => ({
  ...{ argv, clock, commandId: "command", signal: new AbortController().signal },
  graces: { intMs: 100, termMs: 100, killMs: 1000 },
  onStart() {},
  onOutput() {},
});

test("a program has not begun while its group is being recorded, and does not begin when that fails", async () => {
  using folder = temporaryFolder();
  const ran = join(folder.path, "ran");
  let early = true;
  const touch = options(["touch", ran]);
  await runProcess({
    ...touch,
    onStart() {
      // Long enough for a program that does not wait.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      early = existsSync(ran);
    },
  });
  expect({ early, ran: existsSync(ran) }).toEqual({ early: false, ran: true });

  const never = join(folder.path, "never");
  const refuse = () => {
    throw new Error("disk full");
  };
  await expect(runProcess({ ...options(["touch", never]), onStart: refuse })).rejects.toThrow(/cannot record/);
  expect(existsSync(never)).toBe(false);
});

test("a program that is stopped while it is being started does not begin", async () => {
  using folder = temporaryFolder();
  const abort = new AbortController();
  const running = runProcess({ ...options(["touch", join(folder.path, "ran")]), signal: abort.signal });
  abort.abort(new Error("cancelled"));
  await expect(running).rejects.toThrow("cancelled");
  expect(existsSync(join(folder.path, "ran"))).toBe(false);
});

test("arguments reach a program as they stand, and its input is empty", async () => {
  let output = "";
  const { exitCode } = await runProcess({
    ...options(["sh", "-c", 'printf "%s|" "$@"; cat; exit 3', "sh", "$HOME", "a b", ""]),
    onOutput: (_, data) => {
      output += data;
    },
  });
  expect({ exitCode, output }).toEqual({ exitCode: 3, output: "$HOME|a b||" });
});

test("a program gets what a login would give it and what was asked for, not the agent's environment", async () => {
  vi.stubEnv("POPPO_TEST_SECRET", "leak");
  onTestFinished(() => void vi.unstubAllEnvs());
  let output = "";
  await runProcess({
    ...options(["env"]),
    env: { MINE: "yes" },
    onOutput: (_, data) => {
      output += data;
    },
  });
  expect(output).toContain("MINE=yes\n");
  expect(output).toContain(`PATH=${process.env.PATH}\n`);
  expect(output).not.toContain("leak");
});

test("a program that does not exist is an error that names it, and the folder when one was given", async () => {
  await expect(runProcess(options(["no-such-program"]))).rejects.toThrow(
    'cannot run "no-such-program": no such program',
  );
  await expect(runProcess({ ...options(["./gone"]), cwd: "/tmp" })).rejects.toThrow(
    /no such program \(or folder \/tmp\)/,
  );
});
