import type { CommandPayload } from "@poppo-ops/plugins/wire";
import { expect, test } from "vitest";
import { systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";
import { testApp } from "../kernel/testing/test-app.js";
import { expireCommands } from "./expire-commands.js";
import { issueCommand } from "./issue-command.js";
import { givenAgents } from "./testing/given.js";
import { sql } from "./testing/sql.js";

const MINUTE = 60_000;

test.for<[CommandPayload["kind"], string, number, string | null]>([
  ["RUN_PROBE", "an hour after it had to start", 61 * MINUTE, "EXPIRED"],
  ["PREVIEW", "an hour after it had to start", 61 * MINUTE, "EXPIRED"],
  ["CANCEL", "an hour after it had to start", 61 * MINUTE, "EXPIRED"],
  ["CANCEL", "while its answer may be on its way", 59 * MINUTE, null],
  ["REMEDIATE", "a day after it had to start: its run waits for the agent's word", 1440 * MINUTE, null],
])("a %s that nobody answers, %s", async ([kind, , agoMs, end]) => {
  await using app = await testApp();
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  await act(systemScope(app), (tools) => issueCommand(tools, { agentId, kind, startWithinMs: -agoMs }));
  await sql({ app }, "UPDATE agent_commands SET started_at = start_by WHERE kind = 'PREVIEW'");
  await expireCommands(app, MINUTE).step();
  expect(await sql({ app }, 'SELECT "end", ended_at FROM agent_commands')).toEqual([
    { end, ended_at: end && expect.any(Date) },
  ]);
});

test("an answer that comes first stands", async () => {
  await using app = await testApp();
  const [agentId] = (await givenAgents(app, ["host-a"])) as [string];
  await act(systemScope(app), (tools) =>
    issueCommand(tools, { agentId, kind: "RUN_PROBE", startWithinMs: -100 * MINUTE }),
  );
  await sql({ app }, `UPDATE agent_commands SET "end" = 'SUCCEEDED', ended_at = now()`);
  expect(await expireCommands(app, MINUTE).step()).toBe(0);
  expect(await sql({ app }, 'SELECT "end" FROM agent_commands')).toEqual([{ end: "SUCCEEDED" }]);
});
