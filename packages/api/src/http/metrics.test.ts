import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tcpProxy } from "../db/testing/tcp-proxy.js";
import { testDatabase } from "../db/testing/test-database.js";
import { scrape } from "./testing/scrape.js";
import { type TestServer, testServer } from "./testing/test-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const OPEN_METRICS = "application/openmetrics-text";

describe("the format", () => {
  test.each([
    ["curl", "*/*", "text/plain; version=0.0.4; charset=utf-8"],
    ["who asks for text", "text/plain", "text/plain; version=0.0.4; charset=utf-8"],
    ["who asks for OpenMetrics", OPEN_METRICS, `${OPEN_METRICS}; version=1.0.0; charset=utf-8`],
    [
      "Prometheus 2",
      `${OPEN_METRICS};version=1.0.0;q=0.5,${OPEN_METRICS};version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2`,
      `${OPEN_METRICS}; version=1.0.0; charset=utf-8`,
    ],
    [
      "Prometheus 3",
      `${OPEN_METRICS};version=1.0.0;escaping=allow-utf-8;q=0.6,${OPEN_METRICS};version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2`,
      `${OPEN_METRICS}; version=1.0.0; charset=utf-8`,
    ],
    ["who would rather have text", `${OPEN_METRICS};q=0.1,text/plain`, "text/plain; version=0.0.4; charset=utf-8"],
    ["who knows neither", "application/json", "text/plain; version=0.0.4; charset=utf-8"],
  ])("%s", async (_who, accept, contentType) => {
    expect((await scrape(server.url, accept)).contentType).toBe(contentType);
  });

  test("OpenMetrics names families without _total, has no empty line and an end; text stays as it was", async () => {
    const open = await scrape(server.url, OPEN_METRICS);
    const text = await scrape(server.url);
    expect(open.text).toMatch(/\n# EOF\n$/);
    expect(open.text).not.toMatch(/\n\n/);
    expect(open.families).toContainEqual(expect.objectContaining({ name: "poppo_ingest_results", type: "counter" }));
    for (const { families, value } of [open, text]) {
      expect(value("poppo_ingest_results_total")).toBe(0);
      expect(families.length).toBe(text.families.length);
    }
    expect(text.families).toContainEqual(expect.objectContaining({ name: "poppo_ingest_results_total" }));
  });

  test("the playbook's greps find the event loop and the heap", async () => {
    const { value } = await scrape(server.url);
    expect(value("nodejs_eventloop_lag_p99_seconds")).toBeGreaterThan(0);
    expect(value("nodejs_heap_size_used_bytes")).toBeGreaterThan(1e6);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(1e6);
  });
});

const PROMTOOL = "promtool";
const run = promisify(execFile);
const isInstalled = await run(PROMTOOL, ["--version"]).then(
  () => true,
  () => false,
);
if (!isInstalled && process.env.CI) throw new Error("CI must have promtool (package prometheus)");
if (!isInstalled) console.warn("no check of the metrics' form: promtool is not installed");

test.skipIf(!isInstalled)("promtool finds nothing to complain about", async () => {
  await server.ask("{ viewer { name } }");
  const { text } = await scrape(server.url);
  const checking = run(PROMTOOL, ["check", "metrics"]);
  checking.child.stdin!.end(text);
  expect(await checking).toEqual({ stdout: "", stderr: "" });
});

test("requests are counted by route, method and status, and no address that somebody made up is a label", async () => {
  await fetch(`${server.url}/health`);
  await fetch(`${server.url}/wp-admin/${"x".repeat(50)}`, { method: "DELETE" });
  await fetch(`${server.url}/graphql?x=1`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const { value, text } = await scrape(server.url);
  const requests = (route: string, method: string, status: number) =>
    value("poppo_http_requests_total", { route, method, status: String(status) });
  expect(requests("/health", "GET", 200)).toBe(1);
  expect(requests("unmatched", "DELETE", 404)).toBe(1);
  expect(requests("/graphql", "PUT", 405)).toBe(1);
  expect(value("poppo_http_request_duration_seconds_count", { route: "/health", method: "GET" })).toBe(1);
  expect(text).not.toContain("wp-admin");
});

test("operations are counted by transport, type and outcome", async () => {
  await using own = await testServer();
  const socket = await own.socket();
  await own.ask("{ viewer { name } }");
  await own.ask("{ nothing }");
  await own.ask("{ oh");
  await own.ask("mutation { pauseProcessing(input: {}) { clientMutationId } }", {}, null);
  await socket.ask("{ viewer { name } }");
  await socket.ask("{ nothing }");
  await socket.ask('subscription { incidentEvents(after: "nonsense") { cursor } }');
  socket.subscribe("subscription { incidentEvents { cursor } }");
  await socket.next(({ type }) => type === "next");
  const { value } = await scrape(own.url);
  const operations = (transport: string, type: string, outcome: string) =>
    value("poppo_graphql_operations_total", { transport, type, outcome });
  expect(operations("http", "query", "ok")).toBe(1);
  expect(operations("http", "query", "GRAPHQL_VALIDATION_FAILED")).toBe(1);
  expect(operations("http", "unknown", "GRAPHQL_PARSE_FAILED")).toBe(1);
  expect(operations("websocket", "query", "ok")).toBe(1);
  expect(operations("websocket", "unknown", "GRAPHQL_VALIDATION_FAILED")).toBe(1);
  expect(operations("websocket", "subscription", "BAD_INPUT")).toBe(1);
  expect(operations("websocket", "subscription", "ok")).toBe(1);
  await socket.close();
});

test("connections, subscribers and what is written to them", async () => {
  await using own = await testServer();
  const socket = await own.socket();
  const id = socket.subscribe("subscription { incidentEvents { cursor events { type } } }");
  await socket.next(({ type }) => type === "next");
  await own.ask('mutation { createService(input: { name: "web" }) { service { id } } }');
  const page = await socket.next(({ payload }) => payload?.data?.incidentEvents.events.length > 0);
  const { value } = await scrape(own.url);
  expect(value("poppo_websocket_connections", { kind: "token" })).toBe(1);
  expect(value("poppo_websocket_connections", { kind: "anonymous" })).toBe(0);
  expect(value("poppo_fanout_subscribers")).toBe(1);
  expect(value("poppo_fanout_groups")).toBe(1);
  expect(value("poppo_fanout_messages_total")).toBe(1);
  expect(value("poppo_fanout_written_bytes_total")).toBe(
    `{"type":"next","payload":${JSON.stringify(page.payload)}`.length,
  );
  expect(value("poppo_events_appended_total", { type: "service.created" })).toBe(1);
  expect(value("poppo_event_log_head")).toBe(own.log.head);
  expect(value("poppo_event_log_lag_events")).toBe(0);

  socket.complete(id);
  socket.socket.close(4999);
  await socket.closed;
  await expect
    .poll(async () => (await scrape(own.url)).value("poppo_websocket_connections", { kind: "token" }))
    .toBe(0);
  const later = await scrape(own.url);
  expect(later.value("poppo_fanout_subscribers")).toBe(0);
  expect(later.value("poppo_websocket_closes_total", { code: "other" })).toBe(1);
});

test("without a database the scrape is answered: it is down, and what only it knows is absent", async () => {
  await using database = await testDatabase();
  await using proxy = await tcpProxy(database.url);
  await using cutOff = await testServer({ database, databaseUrl: proxy.url });
  proxy.cut();
  const { value } = await scrape(cutOff.url);
  expect(value("poppo_database_up")).toBe(0);
  expect(value("poppo_event_log_lag_events")).toBeUndefined();
  expect(value("poppo_incidents_open", { severity: "P0" })).toBeUndefined();
  expect(value("poppo_event_log_head")).toBe(1);
});

test.skipIf(process.platform !== "linux")(
  "docs/metrics.md is what a server exports; `vitest run packages/api/src/http/metrics.test.ts -u` writes it anew",
  async () => {
    const { families } = await scrape(server.url);
    const row = ({ name, type, help }: (typeof families)[number]) => {
      const metric = server.app.metrics.registry.getSingleMetric(name) as { labelNames?: string[] } | undefined;
      const labels = metric?.labelNames?.map((label) => `\`${label}\``).join(" ") || "–";
      return `| \`${name}\` | ${type} | ${labels} | ${help} |`;
    };
    const isOurs = ({ name }: { name: string }) => name.startsWith("poppo_");
    const page = `# Metrics

\`GET /metrics\` answers without a token; it reveals counts and no name of an agent, a probe or a person. It speaks the
Prometheus text format, and OpenMetrics with \`Accept: application/openmetrics-text\`. Each replica has its own numbers: sum
counters over replicas. \`poppo_incidents_open\` is read from the database and is the same on each.

\`\`\`yaml
scrape_configs:
  - job_name: poppo-ops
    static_configs:
      - targets: ["127.0.0.1:3000"]
\`\`\`

By hand: \`curl -s http://127.0.0.1:3000/metrics | grep eventloop\`, and \`heap\` for memory. The maximum and the percentiles of
the event loop's lag are those since the last scrape.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
${families.filter(isOurs).map(row).join("\n")}

The process, on Linux (\`type\`, \`space\` and \`kind\` are Node's words for its resources, its heap and its collections):

| Metric | Type | Meaning |
|---|---|---|
${families
  .filter((family) => !isOurs(family))
  .map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`)
  .join("\n")}
`;
    await expect(page).toMatchFileSnapshot("../../../../docs/metrics.md");
  },
);

test("each server counts for itself, and the process is observed once", async () => {
  await using other = await testServer();
  await other.ask('mutation { createService(input: { name: "other" }) { service { id } } }');
  const created = { type: "service.created" };
  expect((await scrape(other.url)).value("poppo_events_appended_total", created)).toBe(1);
  expect((await scrape(server.url)).value("poppo_events_appended_total", created)).toBeUndefined();
});
