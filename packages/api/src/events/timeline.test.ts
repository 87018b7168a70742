import { graphql } from "graphql";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newContext } from "../graphql/context.js";
import { raiseIncident } from "../incidents/incident.service.js";
import { act } from "../kernel/command.js";
import { newId } from "../kernel/ids.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { buildSchema } from "../schema.js";
import { decodeCursor } from "./cursor.js";

let app: TestApp;
let statements = 0;
const incidents: string[] = [];
beforeAll(async () => {
  app = await testApp();
  const scope = app.as("ADMIN");
  for (let i = 0; i < 20; i++)
    incidents.push((await raiseIncident(scope, { title: `${i}`, severity: "P3" })).incident.id);
  await act(scope, async ({ emit }) => {
    for (let i = 0; i < 3; i++) emit({ type: "test.noted", summary: `note ${i}`, incidentId: incidents[0]! });
  });
  app.database.pool.on("acquire", () => statements++);
});
afterAll(() => app[Symbol.asyncDispose]());

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it has asked for
async function ask(source: string, variableValues: Record<string, unknown> = {}): Promise<any> {
  const contextValue = newContext(app, app.as("ADMIN").principal);
  const { data, errors } = await graphql({ schema: await buildSchema(), source, variableValues, contextValue });
  expect(errors).toBeUndefined();
  return data;
}

test("the timelines of all incidents of a page are one statement, and so are those of their events' incidents", async () => {
  statements = 0;
  const data = await ask(
    "{ incidents { nodes { title timeline(first: 1) { caughtUp events { summary incident { timeline { caughtUp events { summary } } } } } } } }",
  );
  expect(statements).toBe(4);
  expect(data.incidents.nodes).toHaveLength(20);
  for (const { title, timeline } of data.incidents.nodes) {
    const raised = { summary: `P3 ${title}` };
    const notes = title === "0" ? [0, 1, 2].map((i) => ({ summary: `note ${i}` })) : [];
    expect(timeline).toEqual({
      caughtUp: title !== "0",
      events: [{ ...raised, incident: { timeline: { caughtUp: true, events: [raised, ...notes] } } }],
    });
  }
});

test("a timeline is read page by page to the head of the log, and tells a gap", async () => {
  const query =
    "query ($id: ID!, $after: Cursor) { incident(id: $id) { timeline(first: 3, after: $after) { events { summary } cursor caughtUp gap { reason } } } }";
  const read = async (id: string, after?: string) => (await ask(query, { id, after })).incident.timeline;
  const first = await read(incidents[0]!);
  expect(first).toMatchObject({ events: [{}, {}, {}], caughtUp: false, gap: null });
  const second = await read(incidents[0]!, first.cursor);
  expect(second).toMatchObject({ events: [{ summary: "note 2" }], caughtUp: true, gap: null });
  expect(decodeCursor(second.cursor).seq).toBe(23);
  const elsewhere = Buffer.from(`v1:${newId()}:1`).toString("base64url");
  expect(await read(incidents[1]!, elsewhere)).toMatchObject({ events: [], gap: { reason: "EPOCH_CHANGED" } });
});
