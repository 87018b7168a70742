import type { Express, Request, Response } from "express";
import { collectDefaultMetrics, Registry } from "prom-client";
import { scrapeQuery } from "../db/scrape-query.js";
import type { EventLog } from "../events/event-log.js";
import type { FanOut } from "../events/fan-out.js";
import type { App } from "../kernel/app.js";
import type { Connections } from "./connections.js";
import type { SocketLayer } from "./websocket.js";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/** Newer scrapers name how they want foreign characters escaped; our names have none, so every way is the same. */
const ESCAPINGS = ["allow-utf-8", "underscores", "dots", "values"];
const OFFERED = [TEXT, OPEN_METRICS, ...ESCAPINGS.map((escaping) => `${OPEN_METRICS}; escaping=${escaping}`)];

/** `GET /metrics`: counts only, so without a token; Prometheus text, or OpenMetrics for who asks for it. */
export function metricsRoute(web: Express, { metrics }: App): void {
  const runtime = processMetrics();
  web.get("/metrics", async (request, response) => {
    await Promise.all(metrics.readers.map((read) => read()));
    const text = `${await runtime.metrics()}\n${await metrics.registry.metrics()}`;
    const open = String(request.accepts(OFFERED)).startsWith("application/openmetrics-text");
    response.setHeader("Content-Type", open ? OPEN_METRICS : TEXT);
    response.end(open ? asOpenMetrics(text) : text);
  });
}

/**
 * OpenMetrics names a counter's family without `_total`, and knows no empty lines. prom-client's own output of it renames
 * the counters themselves, after which the text format lacks `_total`.
 */
const asOpenMetrics = (text: string): string =>
  `${text.replace(/^(# (?:HELP|TYPE) \S+)_total /gm, "$1 ").replace(/\n\n+/g, "\n")}# EOF\n`;

/** Gauges, though named like counters. */
const MISNAMED = ["nodejs_active_resources_total", "nodejs_active_handles_total", "nodejs_active_requests_total"];
let runtime: Registry | undefined;

/** Event loop, heap, garbage collection, CPU: facts of the process, observed once however many servers run in it. */
function processMetrics(): Registry {
  if (runtime) return runtime;
  runtime = new Registry();
  collectDefaultMetrics({ register: runtime });
  for (const name of MISNAMED) runtime.removeSingleMetric(name);
  return runtime;
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Counts a request when its answer has left, or when the caller did not wait for it. */
export function countRequest({ metrics: { http }, clock }: App, request: Request, response: Response): void {
  const began = clock.monotonic();
  response.once("close", () => {
    const labels = { route: routeOf(request), method: METHODS.has(request.method) ? request.method : "other" };
    http.requests.inc({ ...labels, status: response.writableFinished ? response.statusCode : "aborted" });
    http.duration.observe(labels, (clock.monotonic() - began) / 1000);
  });
}

/** The template of a route, never an address that somebody made up. */
function routeOf({ route, originalUrl }: Request): string {
  if (route) return String(route.path);
  return /^\/graphql\/?(\?|$)/.test(originalUrl) ? "/graphql" : "unmatched";
}

/** What the server holds, read when somebody scrapes. */
export function gaugeServer(
  app: App,
  parts: { events: EventLog; fanOut: FanOut; connections: Connections; sockets: SocketLayer },
): void {
  const { metrics } = app;
  const { events, fanOut, connections, sockets } = parts;
  metrics.onScrape(() => {
    metrics.events.head.set(events.head);
    metrics.fanOut.groups.set(fanOut.groupCount);
    metrics.fanOut.subscribers.set(fanOut.subscriberCount);
    const kinds = { agent: 0, token: 0 };
    for (const { principal } of connections) kinds[principal.kind === "agent" ? "agent" : "token"]++;
    metrics.websocket.connections.set({ kind: "agent" }, kinds.agent);
    metrics.websocket.connections.set({ kind: "token" }, kinds.token);
    metrics.websocket.connections.set({ kind: "anonymous" }, Math.max(0, sockets.size - kinds.agent - kinds.token));
  });
  metrics.onScrape(
    scrapeQuery<{ head: number }>(app, "SELECT head::float8 AS head FROM event_head", (rows) => {
      metrics.database.up.set(rows ? 1 : 0);
      if (rows) metrics.events.lag.set(Math.max(0, rows[0]!.head - events.head));
      else metrics.events.lag.remove();
    }),
  );
}
