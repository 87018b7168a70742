import { expect, test, vi } from "vitest";
import { FakeLog } from "../testing/fake-log.js";
import { startFakeServer } from "../testing/fake-server.js";
import { testCli } from "../testing/test-cli.js";

const cli = testCli();
const { roots } = cli;

test("watch goes on through a restart of the server, and ends with 130", async () => {
  const log = new FakeLog();
  Object.assign(roots, log.roots);
  const watch = cli.shell.start(["incidents", "watch", "--json"], { POPPO_URL: cli.server.url });
  await vi.waitFor(() => expect(log.open).toBe(1), { timeout: 10_000 });
  log.append(2);
  await vi.waitFor(() => expect(watch.result.stdout.split("\n")).toHaveLength(3));
  await cli.server.stop();
  log.append(1);
  cli.server = await startFakeServer({ roots, port: cli.server.port });
  await vi.waitFor(() => expect(watch.result.stdout.split("\n")).toHaveLength(4), { timeout: 15_000 });
  watch.child.kill("SIGINT");
  const { code, stdout } = await watch.ended;
  expect(code).toBe(130);
  const seen = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).summary);
  expect(seen).toEqual(["event 1", "event 2", "event 3"]);
});

test("a reader that has seen enough ends it quietly", async () => {
  const log = new FakeLog();
  Object.assign(roots, log.roots);
  const watch = cli.shell.start(["incidents", "watch", "--json"], { POPPO_URL: cli.server.url });
  await vi.waitFor(() => expect(log.open).toBe(1), { timeout: 10_000 });
  watch.child.stdout.destroy();
  log.append(50);
  expect(await watch.ended).toMatchObject({ code: 0, stderr: "" });
});
