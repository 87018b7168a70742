import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newItem, RepairShop } from "./testing/repair-shop.js";
import { ScriptedAgent } from "./testing/scripted-agent.js";

let shop: RepairShop;
beforeAll(async () => {
  shop = await RepairShop.open();
});
afterAll(() => shop[Symbol.asyncDispose]());

describe("the whole way", () => {
  test("requested, previewed, approved, run, verified: the incident tells it in order", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const incidentId = await shop.fails(probeId, item);
    const { run } = await shop.request({ incidentId });
    expect(run).toMatchObject({ status: "AWAITING_APPROVAL", target: `docker/${item}`, preview: null });
    await shop.agent.previews(item);
    await shop.event(incidentId, "remediation.previewed");
    expect((await shop.run(run!.id)).preview).toEqual({ possible: true, actions: ["restart it"], refusals: [] });

    expect((await shop.approve(run!.id)).run).toMatchObject({ status: "QUEUED" });
    const command = await shop.agent.begins(item);
    expect(command).toMatchObject({
      remediation: "docker.restart",
      input: { container: item },
      target: `docker/${item}`,
      fencingToken: 1,
      verify: { probeId, everyMs: 1000, forMs: 60_000 },
    });
    await shop.agent.reports(command, { end: "SUCCEEDED", summary: "restarted it" });
    await shop.becomes(run!.id, "VERIFYING");
    await shop.agent.observes(probeId, "OK", item);
    const done = await shop.becomes(run!.id, "SUCCEEDED");
    expect(done).toMatchObject({ summary: "restarted it", decidedBy: expect.stringContaining("admin") });
    await shop.event(incidentId, "incident.resolved");
    expect(await shop.remediationEvents(incidentId)).toEqual([
      "remediation.requested",
      "remediation.previewed",
      "remediation.approved",
      "remediation.started",
      "remediation.verifying",
      "remediation.verified",
    ]);
  });

  test("a start and an end that come before anybody looked are told one after the other", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const incidentId = await shop.fails(probeId, item);
    const { run } = await shop.request({ incidentId });
    await shop.approve(run!.id);
    await shop.agent.reports(await shop.agent.takes("REMEDIATE", item), {
      end: "FAILED",
      summary: "no such container",
    });
    expect(await shop.becomes(run!.id, "FAILED")).toMatchObject({ summary: "no such container" });
    expect((await shop.remediationEvents(incidentId)).slice(-2)).toEqual(["remediation.started", "remediation.failed"]);
  });

  test("the end of a run frees its target, and the next claim has a higher fencing token", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const { command, runId } = await shop.begun(probeId, item);
    await shop.agent.reports(command, { end: "FAILED" });
    await shop.becomes(runId, "FAILED");
    const second = await shop.begun(probeId, item);
    expect(second.command.fencingToken).toBe(command.fencingToken + 1);
    await shop.agent.reports(second.command, { end: "FAILED" });
    await shop.becomes(second.runId, "FAILED");
    expect(
      await shop.sql("SELECT run_id, lease_until FROM target_locks WHERE target = $1", [`docker/${item}`]),
    ).toEqual([{ run_id: null, lease_until: null }]);
  });

  test("an outcome that was known before the act ended verifies nothing", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const { command, runId, incidentId } = await shop.begun(probeId, item);
    await shop.agent.observes(probeId, "OK", item);
    await shop.event(incidentId, "incident.resolved");
    await shop.agent.reports(command, { end: "SUCCEEDED" });
    await shop.becomes(runId, "VERIFYING");
    // A round of the engine later it still waits.
    await shop.passDeadline(runId);
    await shop.becomes(runId, "DID_NOT_HELP");
  });

  test("a run without a probe says that nothing verified it", async () => {
    const item = newItem();
    const { run } = await shop.request({
      agentId: shop.agent.id,
      kind: "docker.restart",
      input: { container: item },
    });
    await shop.approve(run!.id);
    await shop.agent.remedies(item, { end: "SUCCEEDED", summary: "restarted it" });
    expect((await shop.becomes(run!.id, "SUCCEEDED")).summary).toBe("restarted it; not verified: no probe watches it");
  });
});

describe("ends", () => {
  test.each(["FAILED", "REFUSED", "TIMED_OUT", "INTERRUPTED", "CANCELLED"] as const)(
    "the agent's %s is the run's, with summary and survivors, and a second report changes nothing",
    async (end) => {
      const { command, runId, incidentId } = await shop.begun(await shop.probe(), newItem());
      const report = { end, summary: "as the agent says", survivors: [4711] };
      expect(await shop.agent.reports(command, report)).toBe(true);
      expect(await shop.becomes(runId, end)).toMatchObject({ summary: "as the agent says", survivors: [4711] });
      expect(await shop.agent.reports(command, { end: "SUCCEEDED" })).toBe(false);
      expect(await shop.remediationEvents(incidentId)).toContain(`remediation.${end.toLowerCase()}`);
      expect((await shop.run(runId)).status).toBe(end);
    },
  );

  test("a command that is never begun expires", async () => {
    const item = newItem();
    const incidentId = await shop.fails(await shop.probe(), item);
    const { run } = await shop.request({ incidentId });
    await shop.approve(run!.id);
    const { id } = await shop.agent.takes("REMEDIATE", item);
    await shop.sql("UPDATE agent_commands SET start_by = now() - interval '1 minute' WHERE id = $1", [id]);
    expect((await shop.becomes(run!.id, "EXPIRED")).summary).toContain("did not start it");
  });

  test("an approval that never comes expires", async () => {
    const incidentId = await shop.fails(await shop.probe(), newItem());
    const { run } = await shop.request({ incidentId });
    await shop.sql("UPDATE remediation_runs SET requested_at = now() - interval '25 hours' WHERE id = $1", [run!.id]);
    expect((await shop.becomes(run!.id, "EXPIRED")).summary).toBe("nobody approved it within 1d");
  });

  test("a thousand requests that nobody has decided on keep no run that acts waiting", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    await shop.sql(
      `INSERT INTO remediation_runs (kind, target, input, risk, status, agent_id, requested_by, requested_at)
       SELECT 'docker.restart', 'docker/forgotten-' || n, '{}', 'R2', 'AWAITING_APPROVAL', $1, 'a script', now() - interval '11 minutes'
       FROM generate_series(1, 1000) n`,
      [shop.agent.id],
    );
    const { command, runId } = await shop.begun(probeId, item);
    await shop.agent.reports(command, { end: "FAILED" });
    await shop.becomes(runId, "FAILED");
    const forgotten = "DELETE FROM remediation_runs WHERE requested_by = 'a script' RETURNING status";
    expect(new Set((await shop.sql(forgotten)).map(({ status }) => status))).toEqual(new Set(["AWAITING_APPROVAL"]));
  });

  test("a run whose agent falls silent is LOST; its late report is an event and changes nothing", async () => {
    await using agent = await ScriptedAgent.start(shop.server);
    const item = newItem();
    const probeId = await shop.probe();
    const incidentId = await shop.fails(probeId, item, agent);
    const { run } = await shop.request({ incidentId });
    await shop.approve(run!.id);
    const command = await agent.begins(item);
    await shop.becomes(run!.id, "RUNNING");
    await agent.disconnect();
    await shop.sql("UPDATE agent_sessions SET last_seen_at = now() - interval '10 minutes' WHERE agent_id = $1", [
      agent.id,
    ]);
    await shop.follow(119_999);
    expect((await shop.run(run!.id)).status).toBe("RUNNING");
    await shop.follow();
    expect((await shop.becomes(run!.id, "LOST")).summary).toContain("silent since");

    await agent.connect();
    expect(await agent.reports(command, { end: "SUCCEEDED", summary: "restarted it after all" })).toBe(true);
    const late = await shop.event(incidentId, "remediation.late_report");
    expect(late.summary).toContain("restarted it after all");
    expect((await shop.run(run!.id)).status).toBe("LOST");
  });

  test("a lease is renewed while the agent lives, and not beyond the act's time limit", async () => {
    const { runId } = await shop.begun(await shop.probe(), newItem());
    const lease = async () =>
      (
        await shop.sql(
          `SELECT r.lease_until > now() + interval '90 seconds' AS renewed, l.lease_until = r.lease_until AS same
         FROM remediation_runs r JOIN target_locks l ON l.run_id = r.id WHERE r.id = $1`,
          [runId],
        )
      )[0];
    await expect.poll(lease, { timeout: 5000 }).toEqual({ renewed: true, same: true });
    await shop.sql("UPDATE remediation_runs SET started_at = now() - interval '1 hour' WHERE id = $1", [runId]);
    await shop.follow();
    expect((await shop.becomes(runId, "LOST")).summary).toContain("after its time limit");
  });
});

describe("calling it off", () => {
  test("what waits is rejected or cancelled at once, once", async () => {
    const probeId = await shop.probe();
    const { run: first } = await shop.request({ incidentId: await shop.fails(probeId, newItem()) });
    expect((await shop.reject(first!.id, "we migrate tonight")).run).toMatchObject({ status: "REJECTED" });
    expect((await shop.approve(first!.id)).refused).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("is REJECTED"),
    });
    const { run: second } = await shop.request({ incidentId: await shop.fails(probeId, newItem()) });
    expect((await shop.cancel(second!.id)).run).toMatchObject({ status: "CANCELLED" });
  });

  test("what waits when its incident ends is cancelled, and cannot be approved any more", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const { run } = await shop.request({ incidentId: await shop.fails(probeId, item) });
    await shop.agent.observes(probeId, "OK", item);
    expect((await shop.becomes(run!.id, "CANCELLED")).summary).toContain("its incident is over");
    expect((await shop.approve(run!.id)).refused).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("is CANCELLED"),
    });
  });

  test("what runs is cancelled by its agent, whose report decides", async () => {
    const item = newItem();
    const { command, runId, incidentId } = await shop.begun(await shop.probe(), item);
    expect((await shop.cancel(runId, "wrong container")).run).toMatchObject({ status: "RUNNING" });
    expect(await shop.agent.takes("CANCEL", item)).toMatchObject({ cancels: command.id });
    await shop.event(incidentId, "remediation.cancel_requested");
    await shop.agent.reports(command, {
      end: "CANCELLED",
      summary: "cancelled; still running: pid 12",
      survivors: [12],
    });
    expect(await shop.becomes(runId, "CANCELLED")).toMatchObject({ survivors: [12] });
  });

  test("an agent that comes back within its lease, or later while the act may run, is told to cancel", async () => {
    await using agent = await ScriptedAgent.start(shop.server);
    const item = newItem();
    const { run } = await shop.request({ incidentId: await shop.fails(await shop.probe(), item, agent) });
    await shop.approve(run!.id);
    const command = await agent.begins(item);
    await shop.becomes(run!.id, "RUNNING");
    await agent.disconnect();
    await shop.cancel(run!.id);
    // So much later.
    const seconds = (60_000 + command.timeoutMs!) / 1000;
    await shop.sql(
      "UPDATE agent_commands SET start_by = start_by - make_interval(secs => $2) WHERE agent_id = $1 AND kind = 'CANCEL'",
      [agent.id, seconds],
    );
    await agent.connect();
    expect(agent.received("CANCEL")).toMatchObject([{ cancels: command.id }]);
  });

  test("a verification can be given up", async () => {
    const item = newItem();
    const { command, runId } = await shop.begun(await shop.probe(), item);
    await shop.agent.reports(command, { end: "SUCCEEDED" });
    await shop.becomes(runId, "VERIFYING");
    const { run } = await shop.cancel(runId);
    expect(run).toMatchObject({ status: "CANCELLED", summary: expect.stringContaining("gave the verification up") });
    expect(await shop.agent.takes("CANCEL", item)).toMatchObject({ cancels: command.id });
  });
});

describe("approving", () => {
  test("two people approve at once: one does, the other hears who, and one command is issued", async () => {
    const incidentId = await shop.fails(await shop.probe(), newItem());
    const { run } = await shop.request({ incidentId });
    const answers = await Promise.all([shop.approve(run!.id), shop.approve(run!.id)]);
    expect(answers.filter(({ refused }) => refused)).toMatchObject([
      { refused: { code: "CONFLICT", message: expect.stringContaining("decided by") } },
    ]);
    const commands = await shop.sql(
      "SELECT count(*)::int AS count FROM agent_commands WHERE kind = 'REMEDIATE' AND payload LIKE '%' || $1 || '%'",
      [answers.find(({ run }) => run)!.run!.target],
    );
    expect(commands).toEqual([{ count: 1 }]);
  });

  test("needs an operator; a responder may only ask", async () => {
    const incidentId = await shop.fails(await shop.probe(), newItem());
    const { run } = await shop.request({ incidentId });
    const responder = await shop.server.tokenFor("RESPONDER");
    await expect(shop.approve(run!.id, undefined, responder)).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  test("is refused while the agent is away, and the preview says so, too", async () => {
    await using agent = await ScriptedAgent.start(shop.server);
    const incidentId = await shop.fails(await shop.probe(), newItem(), agent);
    await agent.disconnect();
    await expect
      .poll(() => shop.sql("SELECT status FROM agents WHERE id = $1", [agent.id]), { timeout: 5000 })
      .toEqual([{ status: "OFFLINE" }]);
    const { run } = await shop.request({ incidentId });
    expect(run!.preview).toEqual({ possible: false, reason: `agent ${agent.name} is not connected` });
    const { refused } = await shop.approve(run!.id);
    expect(refused!.message).toMatch(/^agent-not-connected: /);
  });
});
