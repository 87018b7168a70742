import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AppError } from "../kernel/app-error.js";
import { act } from "../kernel/command.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import * as service from "./incident.service.js";
import { raiseMany } from "./raise.js";
import { givenIncident } from "./testing/given-incident.js";

let app: TestApp;
beforeAll(async () => {
  app = await testApp({ poolSize: 20 });
});
afterAll(() => app[Symbol.asyncDispose]());

const one = async (sql: string, ...values: unknown[]) => (await app.database.pool.query(sql, values)).rows[0];
const incidentOf = (id: string) => one("SELECT * FROM incidents WHERE id = $1", id);
const eventsOf = async (id: string) =>
  (
    await app.database.pool.query(
      "SELECT type, summary, severity, payload FROM events WHERE incident_id = $1 ORDER BY seq",
      [id],
    )
  ).rows;
let keys = 0;
const newKey = () => `key ${++keys}`;
const raise = (fields: Partial<Parameters<typeof service.raiseIncident>[1]> = {}) =>
  service.raiseIncident(app.as("RESPONDER", "ben"), { title: "web is down", severity: "P2", ...fields });

describe("races", () => {
  test("two responders acknowledge at once; exactly one does, and the other hears who", async () => {
    const { id, number } = await givenIncident(app, "TRIGGERED");
    const outcomes = await Promise.allSettled(
      ["ana", "ben"].map((name) => service.acknowledgeIncident(app.as("RESPONDER", name), { id })),
    );
    const lost = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(lost).toHaveLength(1);
    const { acknowledged_by } = await incidentOf(id);
    expect(lost[0]!.reason).toBeInstanceOf(AppError);
    expect(lost[0]!.reason.message).toBe(
      `Incident #${number} is ACKNOWLEDGED by ${acknowledged_by}; acknowledge needs TRIGGERED or SNOOZED.`,
    );
    expect((await eventsOf(id)).map((event) => event.type)).toEqual(["incident.raised", "incident.acknowledged"]);
  });

  test("20 raises of one key at once make one incident with 19 duplicates", async () => {
    const dedupKey = newKey();
    const raised = await Promise.all(Array.from({ length: 20 }, () => raise({ dedupKey })));
    expect(new Set(raised.map(({ incident }) => incident.id)).size).toBe(1);
    const incident = await incidentOf(raised[0]!.incident.id);
    expect(incident.duplicate_count).toBe(19);
    expect(await eventsOf(incident.id)).toHaveLength(1);
  });

  test("batches that name the same keys in opposite orders all succeed", async () => {
    const names = Array.from({ length: 20 }, newKey);
    const batch = (order: string[]) =>
      act(app.as("ADMIN"), (tools) =>
        raiseMany(
          tools,
          order.map((dedupKey) => ({ title: "x", severity: "P3", dedupKey, source: "test" })),
        ),
      );
    await Promise.all(Array.from({ length: 6 }, (_, i) => batch(i % 2 ? [...names] : [...names].reverse())));
    const counted = await one(
      "SELECT count(*)::int AS incidents, sum(duplicate_count)::int AS duplicates FROM incidents WHERE dedup_key = ANY($1)",
      names,
    );
    expect(counted).toEqual({ incidents: 20, duplicates: 100 });
  });
});

describe("dedup", () => {
  test("a key that is raised again raises the severity, the peak and the last-seen moment, never lowers them", async () => {
    const dedupKey = newKey();
    const { incident } = await raise({ dedupKey, severity: "P2" });
    await raise({ dedupKey, severity: "P3" });
    expect(await eventsOf(incident.id)).toHaveLength(1);
    const again = await raise({ dedupKey, severity: "P0" });
    expect(again.incident).toMatchObject({ id: incident.id, severity: "P0", peakSeverity: "P0", duplicateCount: 2 });
    expect(again.incident.lastSeenAt.getTime()).toBeGreaterThan(incident.lastSeenAt.getTime());
    expect(again.incident.firstSeenAt).toEqual(incident.firstSeenAt);
    expect((await eventsOf(incident.id)).at(-1)).toEqual({
      type: "incident.severity_changed",
      summary: "Severity rose from P2 to P0",
      severity: "P0",
      payload: { from: "P2", to: "P0" },
    });
  });

  test("within one batch the first of a key opens it and the others count", async () => {
    const [dedupKey, other] = [newKey(), newKey()];
    const given = [dedupKey, null, dedupKey, other, null, dedupKey].map((key, i) => ({
      title: `trouble ${i}`,
      severity: i === 5 ? ("P0" as const) : ("P2" as const),
      dedupKey: key,
      source: "test",
    }));
    const raised = await act(app.as("ADMIN"), (tools) => raiseMany(tools, given));
    expect(raised.map((r) => r.isNew)).toEqual([true, true, false, true, true, false]);
    expect(raised.map((r) => r.incident.title)).toEqual([0, 1, 0, 3, 4, 0].map((i) => `trouble ${i}`));
    expect(await incidentOf(raised[0]!.incident.id)).toMatchObject({ duplicate_count: 2, severity: "P0" });
  });

  test("a key whose incident is resolved opens a new one", async () => {
    const dedupKey = newKey();
    const first = await raise({ dedupKey });
    await service.resolveIncident(app.as("RESPONDER"), { id: first.incident.id });
    const second = await raise({ dedupKey });
    expect(second.incident.id).not.toBe(first.incident.id);
  });

  test("the key of a merged incident counts on what it was merged into, also after that was merged too", async () => {
    const dedupKey = newKey();
    const { incident: child } = await raise({ dedupKey, severity: "P1" });
    const middle = await givenIncident(app, "TRIGGERED", { severity: "P3" });
    const top = await givenIncident(app, "TRIGGERED", { severity: "P3" });
    await service.mergeIncidents(app.as("RESPONDER"), { intoId: middle.id, fromIds: [child.id] });
    expect((await raise({ dedupKey, severity: "P3" })).incident.id).toBe(middle.id);
    await service.mergeIncidents(app.as("RESPONDER"), { intoId: top.id, fromIds: [middle.id] });
    const { incident } = await raise({ dedupKey, severity: "P3" });
    expect(incident).toMatchObject({ id: top.id, duplicateCount: 4, peakSeverity: "P1" });
    await service.resolveIncident(app.as("RESPONDER"), { id: top.id });
    expect((await raise({ dedupKey })).incident.id).not.toBe(top.id);
  });

  test("an incident cannot be reopened while its trouble has another open incident", async () => {
    const dedupKey = newKey();
    const { incident } = await raise({ dedupKey });
    await service.resolveIncident(app.as("RESPONDER"), { id: incident.id });
    await raise({ dedupKey });
    await expect(service.reopenIncident(app.as("RESPONDER"), { id: incident.id })).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("another open incident"),
    });
  });
});

describe("what people do", () => {
  test("a severity changed by a person is an event, and the peak only rises", async () => {
    const { id } = await givenIncident(app, "TRIGGERED", { severity: "P2" });
    await service.setSeverity(app.as("RESPONDER"), { id, severity: "P0", reason: "customers notice" });
    const { incident } = await service.setSeverity(app.as("RESPONDER"), { id, severity: "P3" });
    expect(incident).toMatchObject({ severity: "P3", peakSeverity: "P0" });
    expect((await eventsOf(id)).slice(1).map((event) => event.summary)).toEqual([
      "Severity P2 → P0: customers notice",
      "Severity P0 → P3",
    ]);
  });

  test("bulk changes what can be changed and names the rest", async () => {
    const open = await givenIncident(app, "TRIGGERED");
    const done = await givenIncident(app, "RESOLVED");
    const nowhere = "00000000-0000-4000-8000-000000000000";
    const { incidents, refusals } = await service.acknowledgeIncidents(app.as("RESPONDER"), {
      ids: [nowhere, done.id, open.id],
    });
    expect(incidents.map((incident) => incident.id)).toEqual([open.id]);
    expect(refusals.map(({ code, details }) => [code, details.field])).toEqual([
      ["NOT_FOUND", "ids"],
      ["CONFLICT", "ids"],
    ]);
    expect((await eventsOf(open.id)).at(-1)!.type).toBe("incident.acknowledged");
  });

  test("an id in upper case, or given twice, is the same incident", async () => {
    const { id } = await givenIncident(app, "TRIGGERED");
    const done = await givenIncident(app, "RESOLVED");
    const { incidents, refusals } = await service.resolveIncidents(app.as("RESPONDER"), {
      ids: [id.toUpperCase(), done.id, id, done.id.toUpperCase()],
    });
    expect(incidents.map((incident) => incident.id)).toEqual([id]);
    expect(refusals.map(({ code }) => code)).toEqual(["CONFLICT"]);
    const into = await givenIncident(app, "TRIGGERED");
    const merged = await service.mergeIncidents(app.as("RESPONDER"), {
      intoId: into.id.toUpperCase(),
      fromIds: [id.toUpperCase()],
    });
    expect(merged.incident.id).toBe(into.id);
  });

  test("a snooze comes back by itself, waits for a person again, and says so", async () => {
    const { id } = await givenIncident(app, "ACKNOWLEDGED");
    await service.snoozeIncident(app.as("RESPONDER"), { id, for: "1m" });
    await act(app.as("ADMIN"), service.wakeSnoozed);
    expect((await incidentOf(id)).status).toBe("SNOOZED");
    await app.database.pool.query("UPDATE incidents SET snoozed_until = now() WHERE id = $1", [id]);
    expect(await act(app.as("ADMIN"), service.wakeSnoozed)).toBe(1);
    expect(await incidentOf(id)).toMatchObject({ status: "TRIGGERED", snoozed_until: null, acknowledged_by: null });
    expect((await eventsOf(id)).at(-1)!.type).toBe("incident.woken");
  });

  test("a merge into a milder incident leaves the worst severity, and says so", async () => {
    const { incident: into } = await raise({ severity: "P2" });
    const { incident: worse } = await raise({ severity: "P0" });
    const { incident } = await service.mergeIncidents(app.as("RESPONDER"), { intoId: into.id, fromIds: [worse.id] });
    expect(incident).toMatchObject({ severity: "P0", peakSeverity: "P0" });
    expect((await eventsOf(into.id)).at(-1)).toMatchObject({
      ...{ type: "incident.severity_changed", severity: "P0" },
      payload: { from: "P2", to: "P0", reason: "merge" },
    });
  });

  test("a severity that is over does not come back with a merge", async () => {
    const into = await givenIncident(app, "TRIGGERED", { severity: "P3" });
    const old = await givenIncident(app, "RESOLVED", { severity: "P0" });
    const { incident } = await service.mergeIncidents(app.as("RESPONDER"), { intoId: into.id, fromIds: [old.id] });
    expect(incident).toMatchObject({ severity: "P3", peakSeverity: "P0" });
  });

  test("who follows into another incident by a merge says so too", async () => {
    const [child, middle, top] = await Promise.all([1, 2, 3].map(() => givenIncident(app, "TRIGGERED")));
    await service.mergeIncidents(app.as("RESPONDER"), { intoId: middle!.id, fromIds: [child!.id] });
    await service.mergeIncidents(app.as("RESPONDER"), { intoId: top!.id, fromIds: [middle!.id] });
    expect((await eventsOf(child!.id)).at(-1)).toMatchObject({ type: "incident.merged", payload: { intoId: top!.id } });
  });

  test("a merge that is refused changes nothing", async () => {
    const into = await givenIncident(app, "TRIGGERED");
    const open = await givenIncident(app, "TRIGGERED");
    const merged = await givenIncident(app, "MERGED");
    const attempt = service.mergeIncidents(app.as("RESPONDER"), { intoId: into.id, fromIds: [open.id, merged.id] });
    await expect(attempt).rejects.toMatchObject({ code: "CONFLICT", details: { field: "fromIds" } });
    expect((await incidentOf(open.id)).status).toBe("TRIGGERED");
    const self = service.mergeIncidents(app.as("RESPONDER"), { intoId: into.id, fromIds: [into.id] });
    await expect(self).rejects.toMatchObject({ code: "BAD_INPUT" });
  });

  test("a note on a merged incident is refused and says where it belongs", async () => {
    const { id, number, mergedIntoId } = await givenIncident(app, "MERGED");
    const into = await incidentOf(mergedIntoId!);
    await expect(service.addNote(app.as("RESPONDER"), { id, text: "it was the disk" })).rejects.toMatchObject({
      code: "CONFLICT",
      message: `Incident #${number} is MERGED into #${into.number}; note needs TRIGGERED or ACKNOWLEDGED or SNOOZED or RESOLVED.`,
    });
  });

  test("an incident of a service that does not exist is refused by the field's name", async () => {
    const serviceId = "00000000-0000-4000-8000-000000000000";
    await expect(raise({ serviceId })).rejects.toMatchObject({ code: "NOT_FOUND", details: { field: "serviceId" } });
  });

  test.each([
    ["x", 66_000],
    ["\u20ac", 22_000],
  ])("evidence over 64 KiB is refused, whatever a letter takes: %s", async (letter, count) => {
    await expect(raise({ evidence: { log: letter.repeat(count) } })).rejects.toMatchObject({
      code: "BAD_INPUT",
      details: { field: "evidence" },
    });
  });
});
