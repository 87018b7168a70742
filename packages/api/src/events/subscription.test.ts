import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresHints } from "../db/postgres-hints.js";
import { tcpProxy } from "../db/testing/tcp-proxy.js";
import { testDatabase } from "../db/testing/test-database.js";
import type { GraphqlSocket } from "../http/testing/graphql-socket.js";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const SUBSCRIPTION = `subscription($after: Cursor, $filter: EventFilter) {
  incidentEvents(after: $after, filter: $filter) { events { cursor type summary } cursor caughtUp gap { reason oldestCursor } }
}`;
interface Page {
  events: { cursor: string; type: string; summary: string }[];
  cursor: string;
  caughtUp: boolean;
  gap: { reason: string; oldestCursor: string } | null;
}
const seqOf = (cursor: string) => Number(Buffer.from(cursor, "base64url").toString().split(":")[2]);
const pagesOf = (socket: GraphqlSocket, id: string): Page[] =>
  socket.received.filter((m) => m.id === id && m.type === "next").map((m) => m.payload.data.incidentEvents);
const seqsOf = (socket: GraphqlSocket, id: string) =>
  pagesOf(socket, id).flatMap((page) => page.events.map((event) => seqOf(event.cursor)));
const append = (to: TestServer, count = 1, summary = "x") =>
  act(systemScope(to.app), async ({ emit }) => {
    for (let i = 0; i < count; i++) emit({ type: "test.noted", summary });
  });
const headOf = async (of: TestServer) =>
  Number((await of.app.database.pool.query("SELECT head FROM event_head")).rows[0].head);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const poll = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 20_000, interval: 10 });
const subscribed = async (socket: GraphqlSocket, variables: object = {}) => {
  const id = socket.subscribe(SUBSCRIPTION, variables as Record<string, unknown>);
  await socket.next((message) => message.id === id);
  return id;
};

test("200 subscribers on two replicas that lose 30 % of their hints all see exactly what the database holds", async () => {
  await using database = await testDatabase();
  let dropped = 0;
  const lossy: Parameters<typeof testServer>[0] = {
    database,
    hints: (parts) => {
      const hints = postgresHints(parts, database.url);
      return { ...hints, publish: (topic) => (Math.random() < 0.3 ? void dropped++ : hints.publish(topic)) };
    },
  };
  await using first = await testServer(lossy);
  await using second = await testServer(lossy);
  const begin = await headOf(first);
  const sockets = await Promise.all(Array.from({ length: 200 }, (_, i) => [first, second][i % 2]!.socket()));
  const readers = await Promise.all(sockets.map(async (socket) => ({ socket, id: await subscribed(socket) })));
  const writer = async (to: TestServer) => {
    for (let i = 0; i < 40; i++) await append(to, 1 + (i % 4));
  };
  await Promise.all([first, second, first, second].map(writer));
  const head = await headOf(first);
  expect(head - begin).toBe(400);
  expect(dropped).toBeGreaterThan(20);
  await poll(() => readers.every(({ socket, id }) => seqsOf(socket, id).at(-1) === head)).toBe(true);
  for (const { socket, id } of readers) expect(seqsOf(socket, id)).toEqual(range(begin + 1, head));
  await Promise.all(sockets.map((socket) => socket.close()));
});

describe("resuming", () => {
  test("after a cursor, while others write: no event missing and none twice", async () => {
    const socket = await server.socket();
    const first = await subscribed(socket);
    const begin = seqOf(pagesOf(socket, first)[0]!.cursor);
    let writing = true;
    const writer = (async () => {
      for (let i = 0; i < 150; i++) await append(server, 1 + (i % 3));
      writing = false;
    })();
    const seen: number[] = [];
    let after = pagesOf(socket, first)[0]!.cursor;
    socket.complete(first);
    while (writing || seen.at(-1) !== (await headOf(server))) {
      const id = await subscribed(socket, { after });
      socket.complete(id);
      const pages = pagesOf(socket, id);
      seen.push(...pages.flatMap((page) => page.events.map((event) => seqOf(event.cursor))));
      after = pages.at(-1)!.cursor;
      socket.received.length = 0;
    }
    await writer;
    expect(seen).toEqual(range(begin + 1, await headOf(server)));
    await socket.close();
  });

  test("a replay larger than what a replica keeps in memory, with events committed meanwhile", async () => {
    const socket = await server.socket();
    const begin = await headOf(server);
    const after = (await server.ask("{ incidentSnapshot { cursor } }")).data.incidentSnapshot.cursor;
    for (let i = 0; i < 6; i++) await append(server, 1000);
    const id = socket.subscribe(SUBSCRIPTION, { after });
    for (let i = 0; i < 20; i++) await append(server);
    const head = await headOf(server);
    await poll(() => seqsOf(socket, id).at(-1)).toBe(head);
    expect(seqsOf(socket, id)).toEqual(range(begin + 1, head));
    expect(head - begin).toBe(6020);
    const pages = pagesOf(socket, id);
    expect(pages.every((page) => page.events.length <= 200)).toBe(true);
    await poll(() => pagesOf(socket, id).at(-1)!.caughtUp).toBe(true);
    await socket.close();
  });

  test("from a snapshot: what the snapshot does not hold, the subscription brings", async () => {
    const socket = await server.socket();
    const raise = (i: number) =>
      server.ask(`mutation { raiseIncident(input: { title: "snap ${i}", severity: P3 }) { incident { number } } }`);
    const raised = Promise.all(range(1, 30).map(raise));
    const { data } = await server.ask(
      '{ incidentSnapshot(first: 100, filter: { search: "snap" }) { cursor incidents { nodes { title } totalCount } } }',
    );
    const { cursor: after, incidents } = data.incidentSnapshot;
    expect(incidents.totalCount).toBe(incidents.nodes.length);
    await raised;
    const id = await subscribed(socket, { after, filter: { types: ["incident.raised"] } });
    const titles = () => [
      ...incidents.nodes.map((node: { title: string }) => node.title),
      ...pagesOf(socket, id).flatMap((page) => page.events.map((event) => event.summary.replace("P3 ", ""))),
    ];
    await poll(() => titles().length).toBe(30);
    expect(titles().sort()).toEqual(
      range(1, 30)
        .map((i) => `snap ${i}`)
        .sort(),
    );
    await socket.close();
  });
});

test("who resumes hears at once that nothing was missed, whatever the filter holds back", async () => {
  const socket = await server.socket();
  await append(server, 3);
  const after = (await server.ask("{ events(first: 1) { cursor } }")).data.events.cursor;
  const id = await subscribed(socket, { after, filter: { types: ["nothing.happened"] } });
  expect(pagesOf(socket, id)).toEqual([{ events: [], cursor: expect.any(String), caughtUp: true, gap: null }]);
  const now = pagesOf(socket, id)[0]!.cursor;
  expect(seqOf(now)).toBe(await headOf(server));
  const again = await subscribed(socket, { after: now });
  expect(pagesOf(socket, again)).toEqual([{ events: [], cursor: now, caughtUp: true, gap: null }]);
  await socket.close();
});

test("a filter of a subscription lets through exactly what the same filter of the query does", async () => {
  await using own = await testServer();
  const raised: { id: string }[] = [];
  for (const severity of ["P0", "P1", "P2", "P0"]) {
    const mutation = `mutation { raiseIncident(input: { title: "a_b%", severity: ${severity} }) { incident { id } } }`;
    raised.push((await own.ask(mutation)).data.raiseIncident.incident);
  }
  await own.ask('mutation { createService(input: { name: "web" }) { service { id } } }');
  const service = (await own.ask('{ service(name: "web") { id } }')).data.service.id;
  await own.ask(
    `mutation { raiseIncident(input: { title: "s", severity: P1, serviceId: "${service}" }) { incident { id } } }`,
  );
  for (const { id } of raised.slice(0, 2))
    await own.ask(`mutation { acknowledgeIncident(input: { id: "${id}" }) { incident { id } } }`);
  const filters = [
    null,
    {},
    { types: [] },
    { types: ["incident.raised"] },
    { types: ["incident.*"] },
    { types: ["inciden_.*"] },
    { types: "service.*" },
    { types: ["service.*", "incident.acknowledged"] },
    { severities: ["P0"] },
    { severities: ["P0", "P1"], types: ["incident.raised"] },
    { incidentIds: [raised[0]!.id, raised[1]!.id] },
    { serviceIds: [service] },
    { serviceIds: [service.toUpperCase()], incidentIds: null },
    { incidentIds: [raised[0]!.id.toUpperCase()] },
    { serviceIds: [] },
  ];
  const socket = await own.socket();
  const { data } = await own.ask("{ events(first: 1) { events { cursor } } }");
  const after = data.events.events[0].cursor;
  for (const filter of filters) {
    const query = `query($filter: EventFilter, $after: Cursor) { events(filter: $filter, after: $after, first: 500) { events { cursor } cursor } }`;
    const expected = (await own.ask(query, { filter, after })).data.events;
    const id = await subscribed(socket, { filter, after });
    if (expected.events.length > 0) {
      await poll(() => pagesOf(socket, id).flatMap((page) => page.events).length).toBe(expected.events.length);
    }
    const got = pagesOf(socket, id).flatMap((page) => page.events.map((event) => event.cursor));
    expect([filter, got]).toEqual([filter, expected.events.map((event: { cursor: string }) => event.cursor)]);
    socket.complete(id);
  }
  await socket.close();
});

describe("cursors that cannot be followed", () => {
  const encode = (text: string) => Buffer.from(text).toString("base64url");
  const epoch = async () => (await server.app.database.pool.query("SELECT epoch FROM event_head")).rows[0].epoch;

  test.each([
    ["of another database", async () => encode("v1:00000000-0000-4000-8000-000000000000:3"), "EPOCH_CHANGED"],
    ["ahead of the log", async () => encode(`v1:${await epoch()}:999999999`), "AHEAD"],
  ])("%s: a page with a gap, and the oldest cursor", async (_what, cursor, reason) => {
    const socket = await server.socket();
    const after = await cursor();
    const id = await subscribed(socket, { after });
    const [page] = pagesOf(socket, id);
    expect(page).toMatchObject({ events: [], caughtUp: false, gap: { reason } });
    expect(seqOf(page!.gap!.oldestCursor)).toBe(0);
    const { data } = await server.ask(
      "query($after: Cursor) { events(after: $after) { events { cursor } gap { reason } } }",
      { after },
    );
    expect(data.events).toEqual({ events: [], gap: { reason } });
    await socket.close();
  });

  test.each(["garbage", encode("v1:x:1"), encode("v2:00000000-0000-4000-8000-000000000000:1"), "%00"])(
    "%j is an error that names the argument",
    async (after) => {
      const socket = await server.socket();
      const { errors } = await socket.ask(SUBSCRIPTION, { after });
      expect(errors[0]).toMatchObject({ extensions: { code: "BAD_INPUT", field: "after" } });
      await socket.close();
    },
  );
});

describe("documents", () => {
  test.each([
    ["variables that do not fit", SUBSCRIPTION, { filter: { severities: ["P9"] } }, "GRAPHQL_VALIDATION_FAILED"],
    ["an unknown variable field", SUBSCRIPTION, { filter: { bogus: 1 } }, "GRAPHQL_VALIDATION_FAILED"],
    [
      "two root fields",
      "subscription { a: incidentEvents { cursor } b: incidentEvents { cursor } }",
      {},
      "GRAPHQL_VALIDATION_FAILED",
    ],
  ])("%s are refused", async (_what, query, variables, code) => {
    const socket = await server.socket();
    const { errors } = await socket.ask(query, variables);
    expect(errors[0].extensions.code).toBe(code);
    await socket.close();
  });

  test("a root field in a fragment is served like any other", async () => {
    const socket = await server.socket();
    const id = socket.subscribe(
      "subscription { ...S } fragment S on Subscription { ... on Subscription { incidentEvents { cursor events { summary } } } }",
    );
    await socket.next((message) => message.id === id);
    await append(server, 1, "by fragment");
    await poll(() => pagesOf(socket, id).flatMap((page) => page.events.map((event) => event.summary))).toContain(
      "by fragment",
    );
    await socket.close();
  });

  test("is shared by those of one role, and by nobody of another", async () => {
    await using own = await testServer();
    const tokens = [own.adminToken, own.adminToken, await own.tokenFor("VIEWER")];
    const sockets = await Promise.all(tokens.map((token) => own.socket(token)));
    for (const socket of sockets) await subscribed(socket);
    expect([own.fanOut.subscriberCount, own.fanOut.groupCount]).toEqual([3, 2]);
    await Promise.all(sockets.map((socket) => socket.close()));
  });

  test("a variable that says where to begin and something else too does not mix subscribers up", async () => {
    const { data } = await server.ask(
      'mutation { raiseIncident(input: { title: "t", severity: P3 }) { incident { id timeline { cursor events { cursor } } } } }',
    );
    const { id: incident, timeline } = data.raiseIncident.incident;
    const query =
      "subscription($after: Cursor) { incidentEvents(after: $after) { events { incident { timeline(after: $after) { events { summary } } } } } }";
    const before = Buffer.from(timeline.events[0].cursor, "base64url")
      .toString()
      .replace(/:(\d+)$/, (_, seq) => `:${seq - 1}`);
    const [early, late] = [Buffer.from(before).toString("base64url"), timeline.events[0].cursor];
    const socket = await server.socket();
    const ids = [early, late].map((after) => socket.subscribe(query, { after }));
    await server.ask(`mutation { addNote(input: { id: "${incident}", text: "note" }) { incident { id } } }`);
    const timelines = (id: string) =>
      socket.received
        .filter((m) => m.id === id && m.type === "next")
        .flatMap((m) => m.payload.data.incidentEvents.events)
        .at(-1)
        ?.incident?.timeline.events.map((event: { summary: string }) => event.summary);
    await poll(() => timelines(ids[0]!)).toEqual(["P3 t", "note"]);
    await poll(() => timelines(ids[1]!)).toEqual(["note"]);
    await socket.close();
  });
});

test("a client that stops reading is cut off; the others are not held up, and the memory stays bounded", async () => {
  await using own = await testServer();
  const [slow, quick] = [await own.socket(), await own.socket()];
  const [slowId, quickId] = [await subscribed(slow), await subscribed(quick)];
  slow.socket.pause();
  const summary = "x".repeat(10_000);
  let written = 0;
  const overflow = async () => {
    await append(own, 50, summary);
    written += 50;
    return own.fanOut.subscriberCount;
  };
  await poll(overflow).toBe(1);
  const head = await headOf(own);
  await poll(() => seqsOf(quick, quickId).at(-1)).toBe(head);
  expect(seqsOf(quick, quickId)).toEqual(range(head - written + 1, head));

  slow.socket.resume();
  const error = await slow.next((message) => message.type === "error");
  expect(error.payload[0].extensions).toMatchObject({ code: "SLOW_CONSUMER" });
  const { lastCursor } = error.payload[0].extensions;
  expect(seqOf(lastCursor)).toBe(seqsOf(slow, slowId).at(-1));
  const resumed = slow.subscribe(SUBSCRIPTION, { after: lastCursor });
  await poll(() => seqsOf(slow, resumed).at(-1)).toBe(head);
  expect([...seqsOf(slow, slowId), ...seqsOf(slow, resumed)]).toEqual(range(head - written + 1, head));
  await Promise.all([slow.close(), quick.close()]);
});

test("an id that is none is refused on both ways, instead of being waited for", async () => {
  const socket = await server.socket();
  const filter = { incidentIds: ["42"] };
  const { errors: live } = await socket.ask(SUBSCRIPTION, { filter });
  const { errors: past } = await server.ask("query ($filter: EventFilter) { events(filter: $filter) { caughtUp } }", {
    filter,
  });
  for (const [error] of [live, past!])
    expect(error).toMatchObject({
      message: 'incidentIds: "42" is no id; ids are UUIDs.',
      extensions: { code: "BAD_INPUT", field: "incidentIds" },
    });
  await socket.close();
});

test("a type that cannot be is refused on both ways, instead of being waited for", async () => {
  const socket = await server.socket();
  const { errors: live } = await socket.ask(SUBSCRIPTION, { filter: { types: ["incidents"] } });
  const { errors: past } = await server.ask('{ events(filter: { types: ["incident.*", "%.*"] }) { caughtUp } }');
  expect([live[0].message, past![0]!.message]).toEqual([
    'types: "incidents" is no event type; write it like incident.raised, or a family like incident.*',
    'types: "%.*" is no event type; write it like incident.raised, or a family like incident.*',
  ]);
  expect([live[0].extensions, past![0]!.extensions]).toMatchObject([{ code: "BAD_INPUT" }, { code: "BAD_INPUT" }]);
  await socket.close();
});

test("the database goes away and comes back: subscribers keep their sockets and miss nothing", async () => {
  await using database = await testDatabase();
  await using proxy = await tcpProxy(database.url);
  await using other = await testServer({ database });
  await using cutOff = await testServer({ database, databaseUrl: proxy.url });
  const sockets = await Promise.all(range(1, 5).map(() => cutOff.socket()));
  const ids = await Promise.all(sockets.map((socket) => subscribed(socket)));
  const begin = await headOf(other);
  await append(other, 3);
  await poll(() => sockets.every((socket, i) => seqsOf(socket, ids[i]!).length === 3)).toBe(true);

  proxy.cut();
  await append(other, 7);
  const refused = await cutOff.ask("{ incidents { totalCount } }");
  expect(refused.errors?.[0]?.extensions.code).toBe("UNAVAILABLE");
  expect((await fetch(`${cutOff.url}/health`)).status).toBe(503);

  proxy.restore();
  const head = await headOf(other);
  await poll(() => sockets.every((socket, i) => seqsOf(socket, ids[i]!).at(-1) === head)).toBe(true);
  for (const [i, socket] of sockets.entries()) expect(seqsOf(socket, ids[i]!)).toEqual(range(begin + 1, head));
  await poll(async () => (await fetch(`${cutOff.url}/health`)).status).toBe(200);
  await Promise.all(sockets.map((socket) => socket.close()));
});

test("a cursor of another replica is no gap to one that cannot read the log: it says so, and serves it later", async () => {
  await using database = await testDatabase();
  await using proxy = await tcpProxy(database.url);
  await using other = await testServer({ database });
  await using cutOff = await testServer({ database, databaseUrl: proxy.url });
  const socket = await cutOff.socket();
  proxy.cut();
  await append(other, 3);
  const after = (await other.ask("{ incidentSnapshot { cursor } }")).data.incidentSnapshot.cursor;
  const { errors } = await socket.ask(SUBSCRIPTION, { after });
  expect(errors[0].extensions.code).toBe("UNAVAILABLE");

  proxy.restore();
  await poll(() => socket.ask(SUBSCRIPTION, { after })).toMatchObject({
    data: { incidentEvents: { events: [], cursor: after, gap: null } },
  });
  await socket.close();
});

test("a connection that breaks in the middle of a transaction fails that transaction, not the server", async () => {
  await using own = await testServer();
  const { pool } = own.app.database;
  const broken = act(systemScope(own.app), async ({ client, emit }) => {
    const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
    await pool.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
    await poll(
      async () => (await pool.query("SELECT FROM pg_stat_activity WHERE pid = $1", [rows[0].pid])).rowCount,
    ).toBe(0);
    emit({ type: "test.noted", summary: "never" });
  });
  await expect(broken).rejects.toThrow();
  expect((await own.ask("{ viewer { name } }")).data.viewer.name).toBe("first admin");
});

test("a server whose database is gone stops all the same", async () => {
  await using database = await testDatabase();
  await using proxy = await tcpProxy(database.url);
  const orphan = await testServer({ database, databaseUrl: proxy.url });
  proxy.cut();
  await orphan.stop();
});
