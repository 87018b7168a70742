import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { alert, givenAlertmanager, webhook } from "./testing/alertmanager.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const nothing = { raised: 0, duplicates: 0, resolved: 0, ignored: 0, malformed: [] };
const sql = async (text: string, ...values: unknown[]) => (await server.app.database.pool.query(text, values)).rows;
const incidentsOf = (integrationId: string) =>
  sql("SELECT * FROM incidents WHERE dedup_key LIKE 'alertmanager:' || $1 || '%' ORDER BY number", integrationId);
const statuses = async (id: string) => (await incidentsOf(id)).map((row) => row.status);
const mutate = async (name: string, input: object) => {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const { data } = await server.ask(
    `mutation ($input: ${type}!) { ${name}(input: $input) { incident { id } userErrors { code message } } }`,
    { input },
  );
  expect(data[name].userErrors).toEqual([]);
};

describe("an alert", () => {
  test("that fires raises an incident, fires again as its duplicate, and resolves it when it ends", async () => {
    const sender = await givenAlertmanager(server);
    const labels = { instance: "db-1:9100", severity: "critical" };
    const first = await sender.alerts(
      alert("firing", labels, { annotations: { summary: "db-1 is down", description: "no answer for 5 minutes" } }),
    );
    expect(first).toMatchObject({ status: 200, body: { ...nothing, raised: 1 } });
    expect((await sender.alerts(alert("firing", labels))).body).toEqual({ ...nothing, duplicates: 1 });
    const [open] = await incidentsOf(sender.id);
    expect(open).toMatchObject({
      title: "db-1 is down",
      description: "no answer for 5 minutes",
      status: "TRIGGERED",
      severity: "P1",
      category: "OTHER",
      source: `alertmanager:${sender.name}`,
      duplicate_count: 1,
      evidence: {
        labels: { alertname: "Down", ...labels },
        annotations: { summary: "db-1 is down" },
        startsAt: "2026-03-01T10:00:00.123Z",
        generatorURL: "http://prometheus/graph",
        externalURL: "http://alertmanager",
      },
    });
    expect((await sender.alerts(alert("resolved", labels))).body).toEqual({ ...nothing, resolved: 1 });
    const [over] = await incidentsOf(sender.id);
    expect(over).toMatchObject({
      status: "RESOLVED",
      resolved_by: "alertmanager",
      resolution: "Alertmanager reports that it is resolved",
    });
    expect(await sql("SELECT type FROM events WHERE incident_id = $1 ORDER BY seq", over.id)).toEqual([
      { type: "incident.raised" },
      { type: "incident.resolved" },
    ]);
    expect((await sender.alerts(alert("resolved", labels))).body).toEqual({ ...nothing, ignored: 1 });
  });

  test("that comes back after its end raises a new incident", async () => {
    const sender = await givenAlertmanager(server);
    await sender.alerts(alert("firing", {}), alert("resolved", {}), alert("firing", {}));
    expect(await statuses(sender.id)).toEqual(["RESOLVED", "TRIGGERED"]);
  });

  test("whose incident a person acknowledged is resolved by its end; one that a person resolved stays as it is", async () => {
    const sender = await givenAlertmanager(server);
    await sender.alerts(alert("firing", { instance: "a" }), alert("firing", { instance: "b" }));
    const [a, b] = await incidentsOf(sender.id);
    await mutate("acknowledgeIncident", { id: a.id });
    await mutate("resolveIncident", { id: b.id, resolution: "restarted" });
    const { body } = await sender.alerts(alert("resolved", { instance: "a" }), alert("resolved", { instance: "b" }));
    expect(body).toEqual({ ...nothing, resolved: 1, ignored: 1 });
    expect((await incidentsOf(sender.id)).map((row) => row.resolved_by)).toEqual(["alertmanager", "first admin"]);
  });

  test("that still fires after a person resolved its incident raises a new one", async () => {
    const sender = await givenAlertmanager(server);
    await sender.alerts(alert("firing", {}));
    await mutate("resolveIncident", { id: (await incidentsOf(sender.id))[0].id });
    expect((await sender.alerts(alert("firing", {}))).body).toEqual({ ...nothing, raised: 1 });
    expect((await sender.alerts(alert("resolved", {}))).body).toEqual({ ...nothing, resolved: 1 });
    expect(await statuses(sender.id)).toEqual(["RESOLVED", "RESOLVED"]);
  });

  test("does not resolve what a person raised under the same key", async () => {
    const sender = await givenAlertmanager(server);
    const mine = alert("firing", {});
    const dedupKey = `alertmanager:${sender.id}:${mine.fingerprint}`;
    await mutate("raiseIncident", { title: "seen by a person", severity: "P2", dedupKey, source: "ana" });
    expect((await sender.alerts(mine)).body).toEqual({ ...nothing, duplicates: 1 });
    expect((await sender.alerts(alert("resolved", {}))).body).toEqual({ ...nothing, ignored: 1 });
    expect(await statuses(sender.id)).toEqual(["TRIGGERED"]);
  });

  test("does not resolve an incident that others were merged into while one of theirs fires", async () => {
    const sender = await givenAlertmanager(server);
    await sender.alerts(alert("firing", { instance: "a" }), alert("firing", { instance: "b" }));
    const [a, b] = await incidentsOf(sender.id);
    await mutate("mergeIncidents", { intoId: a.id, fromIds: [b.id] });
    expect((await sender.alerts(alert("resolved", { instance: "a" }))).body).toEqual({ ...nothing, ignored: 1 });
    expect(await statuses(sender.id)).toEqual(["TRIGGERED", "MERGED"]);
    expect((await sender.alerts(alert("firing", { instance: "b" }))).body).toEqual({ ...nothing, duplicates: 1 });
    expect((await sender.alerts(alert("resolved", { instance: "b" }))).body).toEqual({ ...nothing, resolved: 1 });
    expect(await statuses(sender.id)).toEqual(["RESOLVED", "MERGED"]);
  });

  test("is another one for another integration", async () => {
    const [one, two] = [await givenAlertmanager(server), await givenAlertmanager(server)];
    await one.alerts(alert("firing", {}));
    await two.alerts(alert("firing", {}));
    await two.alerts(alert("resolved", {}));
    expect([await statuses(one.id), await statuses(two.id)]).toEqual([["TRIGGERED"], ["RESOLVED"]]);
  });
});

describe("an end that was overtaken", () => {
  const [first, second] = ["2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z"];
  const late = alert("resolved", {}, { startsAt: first, endsAt: "2026-03-01T11:00:00Z" });

  test("does not close the trouble that began after it, also when it counted as a duplicate", async () => {
    const sender = await givenAlertmanager(server);
    await sender.alerts(alert("firing", {}, { startsAt: first }));
    await sender.alerts(alert("firing", {}, { startsAt: second }));
    expect((await sender.alerts(late)).body).toEqual({ ...nothing, ignored: 1 });
    expect(await statuses(sender.id)).toEqual(["TRIGGERED"]);
  });

  test("does not, within one payload", async () => {
    const sender = await givenAlertmanager(server);
    const { body } = await sender.alerts(alert("firing", {}, { startsAt: second }), late);
    expect(body).toEqual({ ...nothing, raised: 1, ignored: 1 });
  });

  test("does not, when an older report of the beginning came last", async () => {
    const sender = await givenAlertmanager(server);
    await sender.alerts(alert("firing", {}, { startsAt: second }), alert("firing", {}, { startsAt: first }));
    expect((await sender.alerts(late)).body).toEqual({ ...nothing, ignored: 1 });
  });

  test("is told from one whose sender does not say when it ended", async () => {
    const sender = await givenAlertmanager(server);
    await sender.alerts(alert("firing", {}));
    const untimed = alert("resolved", {}, { endsAt: "0001-01-01T00:00:00Z" });
    expect((await sender.alerts(untimed)).body).toEqual({ ...nothing, resolved: 1 });
  });
});

describe("what an alert is taken for", () => {
  const raised = async (labels: Record<string, string>, input: object = {}, fields: object = {}) => {
    const sender = await givenAlertmanager(server, input);
    await sender.alerts(alert("firing", labels, fields));
    return (await incidentsOf(sender.id))[0];
  };

  test.each([
    ["P0", "P0"],
    ["p3", "P3"],
    ["page", "P0"],
    ["Critical", "P1"],
    ["warning", "P2"],
    ["info", "P3"],
    ["purple", "P2"],
    ["constructor", "P2"],
  ])("severity %s is %s unless the integration says otherwise", async (severity, expected) => {
    expect(await raised({ severity })).toMatchObject({ severity: expected });
  });

  test("the integration's own map and default go before", async () => {
    const input = { severities: { Critical: "P0" }, defaultSeverity: "P3" };
    expect(await raised({ severity: "critical" }, input)).toMatchObject({ severity: "P0" });
    expect(await raised({ severity: "warning" }, input)).toMatchObject({ severity: "P3" });
    expect(await raised({}, input)).toMatchObject({ severity: "P3" });
  });

  test("a repeat with a higher severity raises it", async () => {
    const sender = await givenAlertmanager(server);
    const { fingerprint } = alert("firing", {});
    await sender.alerts(alert("firing", { severity: "warning" }, { fingerprint }));
    await sender.alerts(alert("firing", { severity: "critical" }, { fingerprint }));
    expect(await incidentsOf(sender.id)).toMatchObject([{ severity: "P1", peak_severity: "P1", duplicate_count: 1 }]);
  });

  test("the category is the label's when it is one of ours, else the integration's", async () => {
    expect(await raised({ category: "external-api" }, { category: "DISK" })).toMatchObject({
      category: "EXTERNAL_API",
    });
    expect(await raised({ category: "weather" }, { category: "DISK" })).toMatchObject({ category: "DISK" });
  });

  test("the service is the label's when the catalogue knows it, else the integration's", async () => {
    const [shop] = await sql("INSERT INTO services (name) VALUES ('shop') RETURNING id");
    const [base] = await sql("INSERT INTO services (name) VALUES ('base') RETURNING id");
    const input = { serviceId: base.id };
    expect(await raised({ service: "shop" }, input)).toMatchObject({ service_id: shop.id });
    expect(await raised({ service: "unheard of" }, input)).toMatchObject({ service_id: base.id });
    expect(await raised({})).toMatchObject({ service_id: null });
  });

  test.each([
    [{ instance: "a:80" }, {}, "Down on a:80"],
    [{}, {}, "Down"],
    [{ instance: "a:80" }, { summary: " \n" }, "Down on a:80"],
    [{ alertname: "" }, {}, "alert f00d"],
  ])("its title of %j and %j is %s", async (labels, annotations, title) => {
    expect(await raised(labels, {}, { annotations, fingerprint: "f00d" })).toMatchObject({ title });
  });

  test("long and odd texts are cut and cleaned, and never stop it", async () => {
    const incident = await raised(
      {
        odd: "a\u0000b\ud800c",
        ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`l${i}`, "x".repeat(5000)])),
      },
      {},
      { annotations: { summary: `${"s".repeat(298)}😀😀`, message: "m".repeat(30_000) } },
    );
    expect(incident.title).toBe(`${"s".repeat(298)}\ufffd…`);
    expect(incident.description).toHaveLength(20_000);
    expect(incident.evidence.labels.odd).toBe("a\ufffdb\ufffdc");
    expect(incident.evidence.labels["…"]).toMatch(/^\d+ more$/);
    expect(JSON.stringify(incident.evidence).length).toBeLessThan(40_000);
  });
});

describe("a payload", () => {
  test.each([
    ["nothing in it", "", "The body is not JSON"],
    ["no JSON", "{", "The body is not JSON"],
    ["another version", webhook([], { version: "3" }), "version: "],
    ["no alerts", { version: "4" }, "alerts: "],
    ["a list", [], "expected object"],
    ["an unknown status", webhook([{ ...alert("firing", {}), status: "maybe" }]), "alerts[0]: status: "],
    ["no fingerprint", webhook([{ ...alert("firing", {}), fingerprint: undefined }]), "alerts[0]: fingerprint: "],
    ["a label that is no text", webhook([{ ...alert("firing", {}), labels: { a: 1 } }]), "alerts[0]: labels.a: "],
    ["no time", webhook([{ ...alert("firing", {}), startsAt: "yesterday" }]), "alerts[0]: startsAt: "],
    ["an impossible time", webhook([{ ...alert("firing", {}), startsAt: "2026-02-31T99:00:00Z" }]), "startsAt: "],
  ])("with %s is refused with place and reason, and nothing is stored", async (_, body, message) => {
    const sender = await givenAlertmanager(server);
    const answer = await sender.send(body);
    expect(answer.status).toBe(400);
    expect(answer.body.errors[0]).toMatchObject({ extensions: { code: "BAD_PAYLOAD" } });
    expect(answer.body.errors[0].message).toContain(message);
    expect(await incidentsOf(sender.id)).toEqual([]);
  });

  test("with one malformed alert: the others are taken, and an incident says what is missing", async () => {
    const sender = await givenAlertmanager(server);
    const { status, body } = await sender.alerts(alert("firing", {}), { status: "firing" });
    expect([status, body.raised, body.malformed[0].index]).toEqual([200, 1, 1]);
    const [, complaint] = await incidentsOf(sender.id);
    expect(complaint).toMatchObject({
      title: `Alerts of "${sender.name}" are missing`,
      category: "MONITORING",
      description: expect.stringContaining("alerts[1] is malformed: fingerprint:"),
    });
    await sender.alerts(alert("firing", {}), { status: "firing" });
    expect((await incidentsOf(sender.id)).map((row) => row.duplicate_count)).toEqual([1, 1]);
  });

  test("from which Alertmanager left out alerts raises an incident about that", async () => {
    const sender = await givenAlertmanager(server);
    await sender.send(webhook([alert("firing", {})], { truncatedAlerts: 7 }));
    expect((await incidentsOf(sender.id))[1].description).toContain("left out 7 alerts");
  });

  test("without alerts is fine", async () => {
    const sender = await givenAlertmanager(server);
    expect(await sender.alerts()).toMatchObject({ status: 200, body: nothing });
  });

  test("of too many bytes or alerts is refused", async () => {
    const sender = await givenAlertmanager(server);
    const tooMany = await sender.alerts(...Array.from({ length: 10_001 }, () => ({})));
    expect([tooMany.status, tooMany.body.errors[0].extensions.code]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    const tooLarge = await sender.send("x".repeat(10 * 1024 * 1024 + 1));
    expect([tooLarge.status, tooLarge.body.errors[0].extensions.code]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  });

  test("in which one alert changes again and again is refused", async () => {
    const sender = await givenAlertmanager(server);
    const restless = Array.from({ length: 12 }, (_, i) => alert(i % 2 ? "resolved" : "firing", {}));
    expect((await sender.alerts(...restless)).body.errors[0].message).toContain(
      "changes its status more than 10 times",
    );
  });

  test("of thousands of alerts is taken at once, and again when they end", async () => {
    const sender = await givenAlertmanager(server);
    const all = (status: "firing" | "resolved") =>
      Array.from({ length: 2100 }, (_, i) => alert(status, { instance: `host-${i}` }));
    expect((await sender.alerts(...all("firing"))).body).toEqual({ ...nothing, raised: 2100 });
    expect((await sender.alerts(...all("firing"))).body).toEqual({ ...nothing, duplicates: 2100 });
    expect((await sender.alerts(...all("resolved"))).body).toEqual({ ...nothing, resolved: 2100 });
  }, 120_000);
});
