import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";
import { newItem, RepairShop } from "./testing/repair-shop.js";
import { watchFixes } from "./watch-fixes.js";

let shop: RepairShop;
beforeAll(async () => {
  shop = await RepairShop.open();
});
afterAll(() => shop[Symbol.asyncDispose]());

describe("a fix that does not help", () => {
  const failVerification = async (runId: string) => {
    await shop.becomes(runId, "VERIFYING");
    await shop.passDeadline(runId);
    return shop.becomes(runId, "DID_NOT_HELP");
  };

  test("leaves the incident open and says what is still wrong; after two in a row the breaker opens", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const first = await shop.begun(probeId, item);
    await shop.agent.reports(first.command, { end: "SUCCEEDED", summary: "restarted it" });
    const failed = await failVerification(first.runId);
    expect(failed.summary).toContain("fix did not help");
    const told = await shop.event(first.incidentId, "remediation.did_not_help");
    expect(told.summary).toContain(`${item} is CRIT`);
    expect(await shop.remediationEvents(first.incidentId)).not.toContain("remediation.breaker_opened");

    const second = await shop.begun(probeId, item);
    expect(second.incidentId).toBe(first.incidentId);
    await shop.agent.reports(second.command, { end: "SUCCEEDED", summary: "restarted it" });
    await failVerification(second.runId);
    const opened = await shop.event(first.incidentId, "remediation.breaker_opened");
    expect(opened.summary).toContain("was tried 2 times, still failing");
    expect((await shop.event(first.incidentId, "incident.note_added")).summary).toContain("tried 2 times");
    const { data } = await shop.server.ask("query ($id: ID!) { incident(id: $id) { status } }", {
      id: first.incidentId,
    });
    expect(data.incident.status).toBe("TRIGGERED");
  });

  test("is not said to be one while nobody can see the probe: what is seen next decides", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const { command, runId } = await shop.begun(probeId, item);
    await shop.agent.reports(command, { end: "SUCCEEDED" });
    await shop.becomes(runId, "VERIFYING");
    await shop.sql("UPDATE remediation_runs SET verify_by = now() WHERE id = $1", [runId]);
    await shop.follow();
    expect((await shop.run(runId)).status).toBe("VERIFYING");
    // The server was away for an hour and is back.
    await shop.sql("UPDATE remediation_runs SET verify_by = now() - interval '1 hour' WHERE id = $1", [runId]);
    await shop.sql("UPDATE probe_state SET last_at = now() - interval '2 hours' WHERE item = $1", [item]);
    await shop.follow(119_999);
    expect((await shop.run(runId)).status).toBe("VERIFYING");
    await shop.agent.observes(probeId, "OK", item);
    await shop.becomes(runId, "SUCCEEDED");
  });

  test("an open breaker refuses an approval without a reason, names itself, and lets one with a reason try once more", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const incidentId = await shop.fails(probeId, item);
    const { run } = await shop.request({ incidentId });
    await shop.sql(
      `INSERT INTO target_locks (agent_id, target, fencing_token, failed_verifies, breaker_open_until)
       VALUES ($1, $2, 7, 2, now() + interval '1 hour')`,
      [shop.agent.id, `docker/${item}`],
    );
    const refused = await shop.approve(run!.id);
    expect(refused.refused).toMatchObject({ code: "REFUSED_BY_POLICY", message: expect.stringMatching(/^breaker: /) });
    expect((await shop.run(run!.id)).status).toBe("AWAITING_APPROVAL");
    const event = await shop.event(incidentId, "remediation.refused");
    expect(event.payload).toMatchObject({ rule: "breaker", runId: run!.id });

    expect((await shop.approve(run!.id, "the disk was full, now it is not")).run).toMatchObject({ status: "QUEUED" });
    expect(await shop.agent.begins(item)).toMatchObject({ fencingToken: 8 });
  });

  test("a verified fix that fails again within the stability window counts, also on a new incident", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    for (const round of [1, 2]) {
      const runId = await shop.helped(probeId, item);
      const again = await shop.fails(probeId, item);
      const relapsed = await shop.event(again, "remediation.relapsed");
      expect(relapsed.summary).toContain("the fix did not hold");
      expect((await shop.run(runId)).status).toBe("SUCCEEDED");
      if (round === 2) await shop.event(again, "remediation.breaker_opened");
    }
  });

  test("a fix that held closes the breaker", async () => {
    const item = newItem();
    const probeId = await shop.probe();
    const runId = await shop.helped(probeId, item);
    await shop.sql(
      "UPDATE target_locks SET failed_verifies = 1, breaker_open_until = now() + interval '1 hour' WHERE target = $1",
      [`docker/${item}`],
    );
    await shop.sql("UPDATE probe_state SET since = now() - interval '7 minutes' WHERE item = $1", [item]);
    await shop.sql("UPDATE remediation_runs SET finished_at = now() - interval '6 minutes' WHERE id = $1", [runId]);
    await expect
      .poll(
        () =>
          shop.sql("SELECT failed_verifies, breaker_open_until FROM target_locks WHERE target = $1", [
            `docker/${item}`,
          ]),
        {
          timeout: 5000,
        },
      )
      .toEqual([{ failed_verifies: 0, breaker_open_until: null }]);
  });
});

test("of a fix whose probe was not seen at the end of the window nobody says whether it held", async () => {
  const item = newItem();
  const probeId = await shop.probe();
  const runId = await shop.helped(probeId, item);
  await shop.sql(
    "UPDATE probe_state SET since = now() - interval '1 hour', last_at = now() - interval '1 hour' WHERE item = $1",
    [item],
  );
  await shop.sql("UPDATE remediation_runs SET finished_at = now() - interval '59 minutes' WHERE id = $1", [runId]);
  const held = async () => {
    await act(systemScope(shop.server.app, "remediation"), watchFixes);
    return (await shop.sql("SELECT held FROM remediation_runs WHERE id = $1", [runId]))[0]!.held;
  };
  expect(await held()).toBeNull();
  await shop.fails(probeId, item);
  expect(await held()).toBeNull();
});
