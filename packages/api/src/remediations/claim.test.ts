import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { newItem, RepairShop } from "./testing/repair-shop.js";
import { ScriptedAgent } from "./testing/scripted-agent.js";

/** Two replicas of one installation; an agent on each. */
let shop: RepairShop;
let other: RepairShop;
beforeAll(async () => {
  shop = await RepairShop.open();
  other = await RepairShop.open({ database: shop.server.database });
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

test("two replicas race for one target 20 times: one run is claimed each time, and the token only grows", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  const incidentId = await shop.fails(probeId, item);
  const tokens: number[] = [];
  for (let round = 0; round < 20; round++) {
    const { run } = await shop.request({ incidentId });
    const answers = await Promise.all([shop, other, shop, other].map((replica) => replica.approve(run!.id)));
    expect(answers.filter(({ refused }) => !refused)).toHaveLength(1);
    const command = await shop.agent.begins(item);
    tokens.push(command.fencingToken);
    await shop.agent.reports(command, { end: "FAILED" });
    await shop.becomes(run!.id, "FAILED");
  }
  expect(tokens).toEqual(tokens.map((_, i) => i + 1));
  expect(shop.agent.received("REMEDIATE")).toHaveLength(20);
});

test("two replicas race to ask for one target: one run is made, and the others are told which", async () => {
  const incidentId = await shop.fails(await shop.probe(), newItem());
  const answers = await Promise.all([shop, other, shop, other].map((replica) => replica.request({ incidentId })));
  const made = answers.filter(({ run }) => run);
  expect(made).toHaveLength(1);
  for (const { refused } of answers.filter(({ run }) => !run))
    expect(refused).toMatchObject({ code: "CONFLICT", message: expect.stringContaining(made[0]!.run!.id) });
});

test("an approval that was first holds, although the incident ends before it is committed", async () => {
  const item = newItem();
  const incidentId = await shop.fails(await shop.probe(), item);
  const { run } = await shop.request({ incidentId });
  const waiting = async (count: number, what: string) =>
    vi.waitFor(async () =>
      expect(
        await shop.sql(
          `SELECT FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'`,
          [what],
        ),
      ).toHaveLength(count),
    );
  const holder = await shop.server.app.database.pool.connect();
  await holder.query("BEGIN");
  await holder.query("SELECT FROM processing FOR UPDATE");
  const approval = shop.approve(run!.id);
  await waiting(1, "FROM processing FOR UPDATE");
  await shop.server.ask("mutation ($id: ID!) { resolveIncident(input: { id: $id }) { incident { id } } }", {
    id: incidentId,
  });
  // Both replicas have seen a run that waits while its incident is over.
  await waiting(2, 'update "remediation_runs" set "status"');
  await holder.query("COMMIT");
  holder.release();
  expect((await approval).run).toMatchObject({ status: "QUEUED" });
  const command = await shop.agent.begins(item);
  await shop.becomes(run!.id, "RUNNING");
  await shop.agent.reports(command, { end: "FAILED", summary: "no such container" });
  expect(await shop.becomes(run!.id, "FAILED")).toMatchObject({ summary: "no such container" });
});

test("approvals of a whole group race on two replicas: never more than the share is claimed", async () => {
  const { data } = await shop.server.ask(
    'mutation { createService(input: { name: "shop" }) { service { id } userErrors { message } } }',
  );
  const probeId = await shop.probe({ serviceId: data.createService.service.id });
  const requested = await Promise.all(
    Array.from(
      { length: 8 },
      async () => (await shop.request({ incidentId: await shop.fails(probeId, newItem()) })).run!,
    ),
  );
  const answers = await Promise.all(requested.map(({ id }, i) => [shop, other][i % 2]!.approve(id)));
  expect(answers.filter(({ refused }) => !refused)).toHaveLength(1);
  const [refused] = answers.flatMap(({ refused }) => refused ?? []);
  expect(refused!.message).toMatch(/^blast-radius: 1 of the 8 targets of service shop/);
});

test("a group is what is there: neither what is gone nor what a revoked agent saw", async () => {
  const probeId = await shop.probe();
  await shop.automate(probeId, { mode: "APPROVAL", maxShare: 0.5 });
  await using former = await ScriptedAgent.start(shop.server);
  await former.observes(probeId, "OK", newItem());
  await shop.server.ask("mutation ($id: ID!) { revokeAgent(input: { id: $id }) { userErrors { message } } }", {
    id: former.id,
  });
  await shop.agent.observes(probeId, "NOT_APPLICABLE", newItem());
  const [first, second] = [newItem(), newItem()];
  const { run } = await shop.request({ incidentId: await shop.fails(probeId, first) });
  const { run: other } = await shop.request({ incidentId: await shop.fails(probeId, second) });
  expect((await shop.approve(run!.id)).refused).toBeUndefined();
  expect((await shop.approve(other!.id)).refused!.message).toMatch(/^blast-radius: 1 of the 2 targets of probe/);
});

test("a lock that somebody holds refuses, and one whose lease is over does not", async () => {
  const item = newItem();
  const { run } = await shop.request({ incidentId: await shop.fails(await shop.probe(), item) });
  await shop.sql(
    `INSERT INTO target_locks (agent_id, target, fencing_token, run_id, lease_until)
     VALUES ($1, $2, 41, gen_random_uuid(), now() + interval '1 hour')`,
    [shop.agent.id, `docker/${item}`],
  );
  expect((await shop.approve(run!.id)).refused!.message).toMatch(/^target-locked: run [0-9a-f-]+ holds docker/);
  await shop.sql("UPDATE target_locks SET lease_until = now() WHERE target = $1", [`docker/${item}`]);
  expect((await shop.approve(run!.id)).refused).toBeUndefined();
  expect(await shop.agent.begins(item)).toMatchObject({ fencingToken: 42 });
});

describe("the kill switch", () => {
  const pause = (input: string) =>
    other.server.ask(
      `mutation { pauseProcessing(input: { ${input} }) { processing { paused reason owner until } userErrors { message } } }`,
    );
  const resume = () => shop.server.ask("mutation { resumeProcessing(input: {}) { processing { paused } } }");

  test("pulled on one replica it holds on the other; what runs goes on", async () => {
    const probeId = await shop.probe();
    const running = await shop.begun(probeId, newItem());
    const { run } = await shop.request({ incidentId: await shop.fails(await shop.probe(), newItem()) });
    expect((await pause('reason: "migration"')).data.pauseProcessing.processing).toMatchObject({
      paused: true,
      reason: "migration",
      until: null,
    });
    expect((await shop.approve(run!.id)).refused).toMatchObject({
      code: "REFUSED_BY_POLICY",
      message: expect.stringMatching(/^processing-paused: .*migration/),
    });
    await shop.agent.reports(running.command, { end: "FAILED" });
    await shop.becomes(running.runId, "FAILED");
    expect((await resume()).data.resumeProcessing.processing).toEqual({ paused: false });
    expect((await shop.approve(run!.id)).refused).toBeUndefined();
  });

  test("an approved run whose agent comes back after the pause is not given to it, and expires", async () => {
    await using agent = await ScriptedAgent.start(shop.server);
    const item = newItem();
    const { run } = await shop.request({ incidentId: await shop.fails(await shop.probe(), item, agent) });
    expect((await shop.approve(run!.id)).refused).toBeUndefined();
    const { id } = await agent.takes("REMEDIATE", item);
    await agent.disconnect();
    await pause('reason: "migration"');
    await agent.connect();
    expect(agent.received("REMEDIATE")).toEqual([]);
    await shop.sql("UPDATE agent_commands SET start_by = now() - interval '1 minute' WHERE id = $1", [id]);
    await shop.becomes(run!.id, "EXPIRED");
    await resume();
  });

  test("a run that is cancelled during a pause, before its agent has it, is over and is not given to it afterwards", async () => {
    await using agent = await ScriptedAgent.start(shop.server);
    const item = newItem();
    const { run } = await shop.request({ incidentId: await shop.fails(await shop.probe(), item, agent) });
    expect((await shop.approve(run!.id)).refused).toBeUndefined();
    const { id, fencingToken } = await agent.takes("REMEDIATE", item);
    await agent.disconnect();
    await pause('reason: "migration"');
    await agent.connect();
    await shop.cancel(run!.id);
    const cancel = await agent.takes("CANCEL", item);
    expect(cancel).toMatchObject({ cancels: id, fencingToken });
    // All that an agent knows of the command is what its cancel says.
    await agent.reports({ ...cancel, id: cancel.cancels! }, { end: "CANCELLED" });
    await agent.reports(cancel, { end: "SUCCEEDED" });
    await shop.becomes(run!.id, "CANCELLED");
    await resume();
    await agent.disconnect();
    await agent.connect();
    expect(agent.received("REMEDIATE")).toEqual([]);
  });

  test("a pause with an end resumes by itself, and is none from that moment", async () => {
    await pause('reason: "short", for: "1s"');
    await expect
      .poll(
        async () =>
          (
            await shop.sql("SELECT type, actor FROM events WHERE type LIKE 'processing.%' ORDER BY seq DESC LIMIT 1")
          )[0],
        {
          timeout: 5000,
        },
      )
      .toEqual({ type: "processing.resumed", actor: "remediation" });
    const { data } = await shop.server.ask("{ processing { paused reason } }");
    expect(data.processing).toEqual({ paused: false, reason: null });
  });

  test("takes at most a week, and a reason", async () => {
    const { data } = await pause('reason: " ", for: "8d"');
    expect(data.pauseProcessing.userErrors).toHaveLength(2);
  });
});
