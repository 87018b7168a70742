import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import express, { type NextFunction, type Request, type Response } from "express";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tcpProxy } from "../db/testing/tcp-proxy.js";
import { testDatabase } from "../db/testing/test-database.js";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import type { AppError } from "../kernel/app-error.js";
import { AlertReceiver } from "./alertmanager.receiver.js";
import { alertmanagerRoute } from "./alertmanager.route.js";
import { alert, givenAlertmanager, post, type TestAlert, webhook } from "./testing/alertmanager.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const sql = async (text: string, ...values: unknown[]) => (await server.app.database.pool.query(text, values)).rows;
const incidentsOf = (integrationId: string) =>
  sql("SELECT *, xmin::text FROM incidents WHERE dedup_key LIKE 'alertmanager:' || $1 || '%'", integrationId);
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

test("requests at the same time with the same alert raise one incident", async () => {
  const sender = await givenAlertmanager(server);
  const answers = await Promise.all(times(20, () => sender.alerts(alert("firing", {}))));
  expect(answers.reduce((sum, { body }) => sum + body.raised, 0)).toBe(1);
  expect(await incidentsOf(sender.id)).toMatchObject([{ duplicate_count: 19 }]);
});

test("two replicas that are told the same at once raise one incident and resolve it once", async () => {
  await using other = await testServer({ database: server.database });
  const sender = await givenAlertmanager(server);
  const tell = (status: "firing" | "resolved") =>
    Promise.all(
      [server, other].flatMap(({ url }) =>
        times(5, () => post(`${url}${sender.path}`, JSON.stringify({ version: "4", alerts: [alert(status, {})] }))),
      ),
    );
  const fired = await tell("firing");
  expect(fired.map(({ status }) => status)).toEqual(times(10, () => 200));
  expect(await incidentsOf(sender.id)).toMatchObject([{ duplicate_count: 9 }]);
  const ended = await tell("resolved");
  expect(ended.reduce((sum, { body }) => sum + body.resolved, 0)).toBe(1);
  expect(await incidentsOf(sender.id)).toMatchObject([{ status: "RESOLVED" }]);
});

test("200 requests at once share a few transactions", async () => {
  const sender = await givenAlertmanager(server);
  const answers = await Promise.all(times(200, (i) => sender.alerts(alert("firing", { instance: `host-${i}` }))));
  expect(answers.every(({ status, body }) => status === 200 && body.raised === 1)).toBe(true);
  const transactions = new Set((await incidentsOf(sender.id)).map((row) => row.xmin));
  expect(transactions.size).toBeLessThan(50);
});

test("one delivery that cannot be stored takes no other along, and its key stays out of the log", async () => {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => void lines.push(line) });
  await using broken = await testServer({ log });
  const sender = await givenAlertmanager(broken);
  const { pool } = broken.app.database;
  await pool.query(`CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.title = 'poison' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$`);
  await pool.query("CREATE TRIGGER poison BEFORE INSERT ON incidents FOR EACH ROW EXECUTE FUNCTION refuse_poison()");
  const summary = (i: number) => ({ annotations: { summary: i === 7 ? "poison" : "fine" } });
  const answers = await Promise.all(
    times(20, (i) => sender.alerts(alert("firing", { instance: `host-${i}` }, summary(i)))),
  );
  expect(answers.map(({ status }) => status)).toEqual(times(20, (i) => (i === 7 ? 500 : 200)));
  const { rows } = await pool.query("SELECT count(*)::int FROM incidents");
  expect(rows).toEqual([{ count: 19 }]);
  expect(lines.join("")).toContain("/integrations/alertmanager/poppo_hook_…");
  expect(lines.join("")).not.toContain(sender.path);
});

test("a key that is unknown, of the wrong form, or revoked is refused in the same words", async () => {
  const sender = await givenAlertmanager(server);
  await sender.alerts(alert("firing", {}));
  const { data } = await server.ask(
    "mutation ($id: ID!) { revokeIntegration(input: { id: $id }) { integration { revokedAt } } }",
    { id: sender.id },
  );
  expect(data.revokeIntegration.integration.revokedAt).not.toBeNull();
  const paths = [sender.path, "/integrations/alertmanager/poppo_hook_x", "/integrations/alertmanager/%00"];
  const answers = await Promise.all(paths.map((path) => post(`${server.url}${path}`, "{}")));
  const refusals = [await sender.alerts(alert("resolved", {})), ...answers.slice(1)];
  for (const { status, body } of refusals) {
    expect(status).toBe(404);
    expect(body.errors[0].message).toBe(
      "There is no integration with this key; `poppo-ops integrations create` makes one.",
    );
  }
  expect(await incidentsOf(sender.id)).toMatchObject([{ status: "TRIGGERED" }]);
});

test("while the database is away the answer is 503, and the same delivery is taken when it is back", async () => {
  await using database = await testDatabase();
  await using proxy = await tcpProxy(database.url);
  await using behind = await testServer({ database: { ...database, url: proxy.url } });
  const sender = await givenAlertmanager(behind);
  await sender.alerts(alert("firing", { instance: "a" }));
  proxy.cut();
  const refused = await sender.alerts(alert("firing", { instance: "b" }));
  expect([refused.status, refused.body.errors[0].extensions.code]).toEqual([503, "UNAVAILABLE"]);
  proxy.restore();
  await expect
    .poll(async () => (await sender.alerts(alert("firing", { instance: "b" }))).status, { timeout: 20_000 })
    .toBe(200);
});

test("when too many bytes are under way the answer is 503 with Retry-After", async () => {
  const sender = await givenAlertmanager(server);
  const url = `${server.url}${sender.path}`;
  // They do not say how much is to come, so each counts as much as one may: there is room for six.
  const unfinished = times(7, () => request(url, { method: "POST" }));
  const answers = unfinished.map(async (one) => (await once(one, "response"))[0] as IncomingMessage);
  for (const one of unfinished) one.write("{");
  const { statusCode, headers } = await Promise.race(answers);
  expect([statusCode, headers["retry-after"]]).toEqual([503, "1"]);
  expect((await sender.alerts(alert("firing", {}))).status).toBe(200);
  for (const one of unfinished) one.destroy();
  await Promise.allSettled(answers);
  const another = () => post(url, new Blob(['{"version":"4","alerts":[]}']).stream());
  await expect.poll(async () => (await another()).status).toBe(200);
});

/** The route on a server of its own, which shows its connections and how many deliveries got to the queue. */
async function ownRoute() {
  const receiver = new (class extends AlertReceiver {
    received = 0;
    override receive(...given: Parameters<AlertReceiver["receive"]>) {
      this.received++;
      return super.receive(...given);
    }
  })(server.app);
  const web = express();
  alertmanagerRoute(web, server.app, receiver);
  web.use((error: AppError, _request: Request, response: Response, _next: NextFunction) => {
    response.status(error.code === "UNAVAILABLE" ? 503 : 500).json({ code: error.code });
  });
  const http = createServer(web);
  const connections = new Set<Socket>();
  http.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    ...{ receiver, connections, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` },
    async [Symbol.asyncDispose]() {
      await receiver.stop();
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}

/** Until it is released no delivery is stored. */
async function lockedIntegrations() {
  const locker = await server.app.database.pool.connect();
  await locker.query("BEGIN; SELECT FROM integrations FOR UPDATE");
  return async () => {
    await locker.query("ROLLBACK");
    locker.release();
  };
}

/** A sender that will not wait for the answer. It does not say how much it sends. */
function impatient(url: string, body: object) {
  const sent = request(url, { method: "POST" });
  sent.on("error", () => {});
  sent.write(JSON.stringify(body));
  sent.end();
  return sent;
}

test("what a sender that gave up leaves behind counts as under way until the database has taken it", async () => {
  await using route = await ownRoute();
  const sender = await givenAlertmanager(server);
  const url = `${route.url}${sender.path}`;
  const release = await lockedIntegrations();
  const left = times(6, () => impatient(url, webhook([])));
  await expect.poll(() => route.receiver.received).toBe(6);
  for (const one of left) one.destroy();
  await expect.poll(() => route.connections.size).toBe(0);
  const another = () => post(url, new Blob([JSON.stringify(webhook([]))]).stream());
  expect((await another()).status).toBe(503);
  await release();
  await expect.poll(async () => (await another()).status).toBe(200);
});

test("what a sender gave up is not stored: it sends again, and may have sent the end of it since", async () => {
  await using route = await ownRoute();
  const sender = await givenAlertmanager(server);
  const url = `${route.url}${sender.path}`;
  const release = await lockedIntegrations();
  const given = impatient(url, webhook([alert("firing", { instance: "a" })]));
  await expect.poll(() => route.receiver.received).toBe(1);
  const kept = post(url, JSON.stringify(webhook([alert("firing", { instance: "b" })])));
  await expect.poll(() => route.receiver.received).toBe(2);
  given.destroy();
  await expect.poll(() => route.connections.size).toBe(1);
  await release();
  expect((await kept).body).toMatchObject({ raised: 1 });
  await route.receiver.stop();
  expect(await incidentsOf(sender.id)).toMatchObject([{ title: "Down on b" }]);
  const again = await post(url, JSON.stringify(webhook([alert("firing", { instance: "a" })])));
  expect(again.body).toMatchObject({ raised: 1 });
});

test("what became of alerts is counted for Prometheus", async () => {
  await using counting = await testServer();
  const sender = await givenAlertmanager(counting);
  await sender.alerts(...times(3, (i) => alert("firing", { instance: `host-${i}` })));
  await sender.alerts(alert("firing", { instance: "host-0" }), alert("resolved", { instance: "host-1" }));
  const metrics = await (await fetch(`${counting.url}/metrics`)).text();
  expect(metrics.match(/^poppo_alerts_total.*/gm)).toEqual([
    'poppo_alerts_total{outcome="raised"} 3',
    'poppo_alerts_total{outcome="duplicates"} 1',
    'poppo_alerts_total{outcome="resolved"} 1',
    'poppo_alerts_total{outcome="ignored"} 0',
  ]);
});

test("what it last received is noted, not with every request", async () => {
  const sender = await givenAlertmanager(server);
  const last = async () =>
    (await sql("SELECT last_received_at AS at FROM integrations WHERE id = $1", sender.id))[0].at;
  expect(await last()).toBeNull();
  await sender.alerts();
  const first = await last();
  expect(first).toBeInstanceOf(Date);
  await sender.alerts();
  expect(await last()).toEqual(first);
});

/** What a person would say of a list of reports: which troubles there were, and whether the last one is over. */
function expected(reports: TestAlert[]): string[] {
  const statuses: string[] = [];
  let startsAt: string | undefined;
  for (const report of reports) {
    if (report.status === "firing") {
      if (startsAt === undefined) statuses.push("TRIGGERED");
      if (startsAt === undefined || report.startsAt > startsAt) startsAt = report.startsAt;
    } else if (startsAt !== undefined && startsAt <= report.endsAt) {
      statuses[statuses.length - 1] = "RESOLVED";
      startsAt = undefined;
    }
  }
  return statuses;
}

test("however reports of an alert are ordered and packed into payloads, what stands at the end is what they say", async () => {
  const moment = fc.integer({ min: 0, max: 9 }).map((hour) => `2026-03-01T0${hour}:00:00.000Z`);
  const report = fc.record({ isEnd: fc.boolean(), at: moment, packed: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(report, { minLength: 1, maxLength: 8 }), async (given) => {
      const sender = await givenAlertmanager(server);
      const reports = given.map(({ isEnd, at }) =>
        isEnd ? alert("resolved", {}, { startsAt: at, endsAt: at }) : alert("firing", {}, { startsAt: at }),
      );
      const payloads: TestAlert[][] = [];
      for (const [i, one] of reports.entries()) {
        if (given[i]!.packed && payloads.length > 0) payloads.at(-1)!.push(one);
        else payloads.push([one]);
      }
      for (const payload of payloads) expect((await sender.alerts(...payload)).status).toBe(200);
      const rows = await sql(
        "SELECT status FROM incidents WHERE dedup_key LIKE 'alertmanager:' || $1 || ':%' ORDER BY number",
        sender.id,
      );
      expect(rows.map(({ status }) => status)).toEqual(expected(reports));
    }),
    { numRuns: 40 },
  );
}, 120_000);
