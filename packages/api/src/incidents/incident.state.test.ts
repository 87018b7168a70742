import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { act } from "../kernel/command.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import * as service from "./incident.service.js";
import { INCIDENT_STATUSES, type IncidentAction, type IncidentStatus, TRANSITIONS } from "./incident.state.js";
import { givenIncident } from "./testing/given-incident.js";

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app[Symbol.asyncDispose]());

/** Each action through what a person or the engine really calls. */
const ACTS: Record<Exclude<IncidentAction, "wake">, (id: string) => Promise<unknown>> = {
  acknowledge: (id) => service.acknowledgeIncident(app.as("RESPONDER"), { id }),
  snooze: (id) => service.snoozeIncident(app.as("RESPONDER"), { id, for: "1h" }),
  resolve: (id) => service.resolveIncident(app.as("RESPONDER"), { id }),
  reopen: (id) => service.reopenIncident(app.as("RESPONDER"), { id }),
  edit: (id) => service.assignIncident(app.as("RESPONDER"), { id, assignee: "ana" }),
  note: (id) => service.addNote(app.as("RESPONDER"), { id, text: "the cause was a full disk" }),
  merge: async (id) => {
    const into = await givenIncident(app, "TRIGGERED");
    return service.mergeIncidents(app.as("RESPONDER"), { intoId: into.id, fromIds: [id] });
  },
};

const statusOf = async (id: string): Promise<IncidentStatus> =>
  (await app.database.pool.query("SELECT status FROM incidents WHERE id = $1", [id])).rows[0].status;
const eventsOf = async (id: string): Promise<number> =>
  (await app.database.pool.query("SELECT FROM events WHERE incident_id = $1", [id])).rowCount!;

describe.each(Object.keys(ACTS) as (keyof typeof ACTS)[])("%s", (action) => {
  test.each(INCIDENT_STATUSES)("from %s", async (status) => {
    const incident = await givenIncident(app, status);
    const before = await eventsOf(incident.id);
    const expected = TRANSITIONS[action][status];
    if (expected === "REFUSED") {
      await expect(ACTS[action](incident.id)).rejects.toMatchObject({ code: "CONFLICT", details: { status } });
      expect(await statusOf(incident.id)).toBe(status);
      expect(await eventsOf(incident.id)).toBe(before);
    } else {
      await ACTS[action](incident.id);
      expect(await statusOf(incident.id)).toBe(expected);
      expect(await eventsOf(incident.id)).toBe(before + 1);
    }
  });

  test("of an incident that does not exist", async () => {
    const id = "00000000-0000-4000-8000-000000000000";
    await expect(ACTS[action](id)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

test.each(INCIDENT_STATUSES)(
  "a snooze that is over wakes what is SNOOZED; it leaves %s alone otherwise",
  async (status) => {
    const incident = await givenIncident(app, status);
    await app.database.pool.query("UPDATE incidents SET snoozed_until = now() - interval '1 second' WHERE id = $1", [
      incident.id,
    ]);
    await act(app.as("ADMIN"), service.wakeSnoozed);
    const woken = TRANSITIONS.wake[status];
    expect(await statusOf(incident.id)).toBe(woken === "REFUSED" ? status : woken);
  },
);
