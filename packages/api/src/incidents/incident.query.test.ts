import { drizzle } from "drizzle-orm/node-postgres";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { findIncidents, INCIDENT_ORDERS, type IncidentConditions, type IncidentOrder } from "./incident.query.js";
import type { IncidentRow } from "./incident.table.js";
import type { ListedFields } from "./incident-list.js";

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app[Symbol.asyncDispose]());

/** Rows straight into the table: what is tested is how they are found. */
const insert = (count: number, source: string) =>
  app.database.pool.query(
    `INSERT INTO incidents (title, status, severity, peak_severity, category, source, last_seen_at)
     SELECT 'incident ' || i, (ARRAY['TRIGGERED','ACKNOWLEDGED','RESOLVED','RESOLVED'])[1 + i % 4], 'P' || i % 4, 'P0',
            (ARRAY['DISK','NETWORK','OTHER'])[1 + i % 3], $2, now() - (i % 50) * interval '1 minute'
     FROM generate_series(1, $1::int) AS i`,
    [count, source],
  );
const titled = (title: string) =>
  app.database.pool.query(
    "INSERT INTO incidents (title, severity, peak_severity, source) VALUES ($1, 'P2', 'P2', 'titled')",
    [title],
  );
const find = (conditions: IncidentConditions, order: IncidentOrder = "NEWEST", first = 50, after?: string | null) =>
  findIncidents(app.database.db, conditions, order, { first, after });

async function walk(order: IncidentOrder, source: string, between: () => Promise<unknown>): Promise<IncidentRow[]> {
  const found: IncidentRow[] = [];
  for (let after: string | null = null; ; ) {
    const page = await find({ source }, order, 37, after);
    found.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) return found;
    after = page.pageInfo.endCursor;
    await between();
  }
}

const COMPARE: Record<IncidentOrder, (a: IncidentRow, b: IncidentRow) => number> = {
  NEWEST: (a, b) => b.number - a.number,
  OLDEST: (a, b) => a.number - b.number,
  SEVERITY: (a, b) => a.severity.localeCompare(b.severity) || b.number - a.number,
  LAST_SEEN: (a, b) => b.lastSeenAt.getTime() - a.lastSeenAt.getTime() || b.number - a.number,
};

test.each(INCIDENT_ORDERS)(
  "%s: every one of 1,000 rows comes once and in order, while others are inserted",
  async (order) => {
    await insert(1000, `walk ${order}`);
    const present = new Set(
      (await app.database.pool.query("SELECT id FROM incidents WHERE source = $1", [`walk ${order}`])).rows.map(
        (row) => row.id,
      ),
    );
    const found = await walk(order, `walk ${order}`, () => insert(3, `walk ${order}`));
    expect(new Set(found.map((row) => row.id)).size).toBe(found.length);
    expect(found.filter((row) => present.has(row.id))).toHaveLength(1000);
    expect(found).toEqual([...found].sort(COMPARE[order]));
  },
);

test("search finds part of the title in any case, and takes %, _ and backslash literally", async () => {
  for (const title of ["Disk 100% full", "disk 100 full", "a_b", "aXb", "path C:\\temp", "Ünïcode DOWN"])
    await titled(title);
  const titles = async (search: string) => (await find({ search, source: "titled" })).nodes.map((row) => row.title);
  expect(await titles("100%")).toEqual(["Disk 100% full"]);
  expect(await titles("a_b")).toEqual(["a_b"]);
  expect(await titles("C:\\t")).toEqual(["path C:\\temp"]);
  expect(await titles("DISK")).toEqual(["disk 100 full", "Disk 100% full"]);
  expect(await titles("ünï")).toEqual(["Ünïcode DOWN"]);
});

test("conditions are joined by AND; an empty list matches nothing", async () => {
  await insert(60, "conditions");
  const { nodes, totalCount } = await find({ source: "conditions", statuses: ["TRIGGERED"], categories: ["DISK"] });
  expect(nodes.length).toBeGreaterThan(0);
  expect(nodes.every((row) => row.status === "TRIGGERED" && row.category === "DISK")).toBe(true);
  expect(await totalCount).toBe(nodes.length);
  expect((await find({ source: "conditions", statuses: [] })).nodes).toEqual([]);
});

test("those of one assignee, of anybody and of nobody are found; an empty name is nobody's", async () => {
  await app.database.pool.query(
    `INSERT INTO incidents (title, severity, peak_severity, source, assignee)
     VALUES ('of ana', 'P2', 'P2', 'assigned', 'ana'), ('of ben', 'P2', 'P2', 'assigned', 'ben'),
            ('of nobody', 'P2', 'P2', 'assigned', NULL)`,
  );
  const titles = async (conditions: IncidentConditions) =>
    (await find({ source: "assigned", ...conditions }, "OLDEST")).nodes.map((row) => row.title);
  expect(await titles({ assignee: "ana" })).toEqual(["of ana"]);
  expect(await titles({ assigned: true })).toEqual(["of ana", "of ben"]);
  expect(await titles({ assigned: false })).toEqual(["of nobody"]);
  expect(await titles({ assignee: "" })).toEqual([]);
  expect(await titles({ source: "" })).toEqual([]);
});

describe("cursors", () => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

  test.each([
    ["no cursor at all", "!!", "NEWEST"],
    ["no JSON", Buffer.from("{").toString("base64url"), "NEWEST"],
    ["of a list with another order", encode(["P1", 3]), "NEWEST"],
    ["of another order with as many columns", encode(["2026-01-01T00:00:00.000Z", 3]), "SEVERITY"],
    ["with a word for a number", encode(["x"]), "NEWEST"],
    ["with null", encode([null]), "OLDEST"],
    ["with an object for a moment", encode([{}, 1]), "LAST_SEEN"],
    ["with a moment that is none", encode(["2026-99-99T00:00:00.000Z", 1]), "LAST_SEEN"],
  ] as const)("%s: refused, and the message says what to use", async (_what, cursor, order) => {
    await expect(find({}, order, 10, cursor)).rejects.toMatchObject({
      code: "BAD_INPUT",
      message: expect.stringMatching(/no cursor of this list; use a pageInfo.endCursor/),
    });
  });

  test.each([0, -1, 501])("a page of %d is refused", async (first) => {
    await expect(find({}, "NEWEST", first)).rejects.toMatchObject({ code: "BAD_INPUT", details: { field: "first" } });
  });
});

/** The plan of the statement that is really sent. */
async function planOf(
  conditions: IncidentConditions,
  order: IncidentOrder,
  after?: string,
  fields?: ListedFields,
): Promise<string> {
  const sent: pg.QueryConfig[] = [];
  const { pool } = app.database;
  const recording = { query: (statement: pg.QueryConfig) => pool.query(sent[sent.push(statement) - 1]!) };
  await findIncidents(drizzle(recording as pg.Pool), conditions, order, { first: 50, after }, fields);
  const { rows } = await pool.query(`EXPLAIN ${sent[0]!.text}`, sent[0]!.values);
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}

test("lists of 20,000 incidents are read by index and without a sort, on the first page and on a late one", async () => {
  await insert(20_000, "many");
  await app.database.pool.query("ANALYZE incidents");
  for (const order of INCIDENT_ORDERS) {
    const { pageInfo } = await find({}, order, 500);
    for (const after of [undefined, pageInfo.endCursor!]) {
      const plan = await planOf({}, order, after);
      expect(plan).not.toContain("Seq Scan");
      expect(plan).not.toContain("Sort");
    }
  }
});

test("what goes along with a page is read for its rows only", async () => {
  await insert(20_000, "many");
  await app.database.pool.query("ANALYZE incidents, services, events");
  const plan = await planOf({}, "NEWEST", undefined, { service: new Set(["name"]), lastEvent: new Set(["summary"]) });
  expect(plan).toMatch(/Limit .*rows=51 /);
  expect(plan).not.toContain("Seq Scan on incidents");
});

test.each<[string, IncidentConditions, IncidentOrder]>([
  ["the open ones", { statuses: ["TRIGGERED", "ACKNOWLEDGED", "SNOOZED"] }, "NEWEST"],
  ["one status by severity", { statuses: ["TRIGGERED"] }, "SEVERITY"],
  ["part of a title", { search: "incident 19999" }, "NEWEST"],
  ["one service", { serviceIds: ["00000000-0000-4000-8000-000000000000"] }, "NEWEST"],
])("%s among 20,000 are found by index", async (_what, conditions, order) => {
  await insert(20_000, "many");
  await app.database.pool.query("ANALYZE incidents");
  expect(await planOf(conditions, order)).not.toContain("Seq Scan");
});

test.each<[string, IncidentConditions]>([
  ["incidents_assignee", { assignee: "ana" }],
  ["incidents_source", { source: "rare" }],
])("the few that %s is for are read by it, newest first and without a sort", async (index, conditions) => {
  await insert(20_000, "many");
  await app.database.pool.query("ANALYZE incidents");
  const plan = await planOf(conditions, "NEWEST");
  expect(plan).toContain(`using ${index}`);
  expect(plan).not.toContain("Sort");
});
