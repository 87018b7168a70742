import { expect, test } from "vitest";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";
import { readOutput } from "./command-output.js";
import { issueCommand } from "./issue-command.js";
import { sql } from "./testing/sql.js";
import { connect, testAgent } from "./testing/test-agent.js";

const issue = (on: TestServer, agentId: string, fencingToken = 7) =>
  act(systemScope(on.app), (tools) =>
    issueCommand(tools, { agentId, kind: "PREVIEW", fencingToken, startWithinMs: 60_000 }),
  );

const REPORT =
  "mutation ($input: ReportCommandInput!) { reportCommand(input: $input) { accepted userErrors { message } } }";

async function reporter(on: TestServer, name: string) {
  const agent = await testAgent(on, name);
  const connection = await connect(on, agent);
  await connection.open();
  return {
    agent,
    async report(commandId: string, more: Record<string, unknown> = {}) {
      const input = { commandId, fencingToken: "7", ...more };
      const { reportCommand } = await connection.run<{ reportCommand: { accepted: boolean } }>(REPORT, { input });
      return reportCommand.accepted;
    },
    async output(commandId: string, chunks: unknown[]) {
      const { reportOutput } = await connection.run<{ reportOutput: { seq: number } }>(
        "mutation ($batch: OutputBatch!) { reportOutput(batch: $batch) { seq } }",
        { batch: { commandId, chunks } },
      );
      return reportOutput.seq;
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

test("a command starts once and ends once, whatever is reported afterwards", async () => {
  await using on = await testServer();
  await using host = await reporter(on, "host-a");
  const { id } = await issue(on, host.agent.id);
  expect(await host.report(id)).toBe(true);
  expect(await host.report(id)).toBe(false);
  const ends = await Promise.all(
    ["SUCCEEDED", "FAILED", "INTERRUPTED"].map((end) => host.report(id, { end, summary: end, survivors: [] })),
  );
  expect(ends.filter(Boolean)).toHaveLength(1);
  expect(await host.report(id)).toBe(false);
  const [row] = await sql(on, 'SELECT "end", summary, started_at, ended_at, survivors FROM agent_commands');
  expect(row).toMatchObject({ started_at: expect.any(Date), ended_at: expect.any(Date), survivors: [] });
  expect(row!.summary).toBe(row!.end);
});

test("a refused command never started; one whose start was not heard of did", async () => {
  await using on = await testServer();
  await using host = await reporter(on, "host-a");
  const [refused, done] = [await issue(on, host.agent.id), await issue(on, host.agent.id)];
  await host.report(refused.id, { end: "REFUSED", summary: "the local policy does not allow it" });
  await host.report(done.id, { end: "SUCCEEDED", result: { actions: ["restart web"] } });
  const rows = await sql(on, "SELECT id, started_at IS NOT NULL AS started, result FROM agent_commands");
  expect(rows.find((row) => row.id === refused.id)).toMatchObject({ started: false });
  expect(rows.find((row) => row.id === done.id)).toMatchObject({ started: true, result: { actions: ["restart web"] } });
});

test("a stale fencing token, and another agent, are not believed", async () => {
  await using on = await testServer();
  await using host = await reporter(on, "host-a");
  await using other = await reporter(on, "host-b");
  const { id } = await issue(on, host.agent.id);
  expect(await host.report(id, { fencingToken: "6", end: "FAILED" })).toBe(false);
  expect(await other.report(id, { end: "FAILED" })).toBe(false);
  await expect(other.output(id, [])).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(await sql(on, "SELECT ended_at FROM agent_commands")).toEqual([{ ended_at: null }]);
});

const chunk = (seq: number, text: string) => ({ seq, stream: "stdout", offset: seq * 10, text });

test("output that is sent twice is there once and in order", async () => {
  await using on = await testServer();
  await using host = await reporter(on, "host-a");
  const { id } = await issue(on, host.agent.id);
  expect(await host.output(id, [chunk(0, "a"), chunk(1, "b")])).toBe(1);
  await Promise.all([
    host.output(id, [chunk(1, "other"), chunk(2, "c")]),
    host.output(id, [chunk(2, "c"), chunk(3, "d")]),
  ]);
  const { db } = on.app.database;
  expect((await readOutput(db, id, -1, 100)).map(({ text }) => text).join("")).toBe("abcd");
  expect(await readOutput(db, id, 1, 1)).toEqual([chunk(2, "c")]);
});

test("output beyond a mebibyte is acknowledged and dropped", async () => {
  await using on = await testServer();
  await using host = await reporter(on, "host-a");
  const { id } = await issue(on, host.agent.id);
  const full = "x".repeat(16 * 1024);
  for (let batch = 0; batch < 3; batch++) {
    const chunks = Array.from({ length: 30 }, (_, i) => chunk(batch * 30 + i, full));
    expect(await host.output(id, chunks)).toBe(batch * 30 + 29);
  }
  const [{ bytes }] = (await sql(on, "SELECT sum(octet_length(text))::int AS bytes FROM command_output")) as [
    { bytes: number },
  ];
  expect(bytes).toBe(1024 * 1024);
});

test("output that is none is refused with what is wrong", async () => {
  await using on = await testServer();
  await using host = await reporter(on, "host-a");
  const { id } = await issue(on, host.agent.id);
  const wrong = host.output(id, [{ ...chunk(0, "a"), stream: "stdin" }]);
  await expect(wrong).rejects.toMatchObject({ code: "BAD_BATCH", message: expect.stringContaining("stdin") });
});
