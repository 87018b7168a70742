import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** From a tenth of a millisecond to ten seconds: one statement on an idle database, and one that nobody waits for. */
const SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Every instrument of one server, and `docs/metrics.md`. What counts an act is incremented where it happens, once per
 * flush or write and not per row; what is a state is read by `onScrape` when somebody asks. A label takes only values that
 * the code bounds: never the name of an agent, a probe or a person.
 */
export function createMetrics(version: string) {
  const registry = new Registry();
  const { counter, gauge, histogram } = instruments(registry);
  gauge("poppo_build_info", "Always 1; the version of this server.", ["version"]).set({ version }, 1);
  const readers: (() => void | Promise<void>)[] = [];
  return {
    registry,
    readers,
    /** Sets gauges before each scrape. A reader never throws: what it cannot read it leaves out. */
    onScrape: (read: () => void | Promise<void>) => void readers.push(read),
    http: {
      requests: counter("poppo_http_requests_total", "HTTP requests answered.", ["route", "method", "status"]),
      duration: histogram("poppo_http_request_duration_seconds", "From the request's head to the end of its answer.", [
        "route",
        "method",
      ]),
    },
    graphql: {
      operations: counter(
        "poppo_graphql_operations_total",
        "GraphQL operations by outcome: ok, or the code of the first error. A subscription counts when it begins.",
        ["transport", "type", "outcome"],
      ),
    },
    websocket: {
      connections: gauge("poppo_websocket_connections", "Open WebSocket connections by who holds them.", ["kind"]),
      closes: counter("poppo_websocket_closes_total", "WebSocket connections ended, by close code.", ["code"]),
    },
    ingest: {
      batches: counter("poppo_ingest_batches_total", "Result batches by outcome: acknowledged, or why refused.", [
        "outcome",
      ]),
      results: counter("poppo_ingest_results_total", "Probe results committed, without replays."),
      lost: counter("poppo_ingest_lost_results_total", "Results that agents gave up before they could be sent.", [
        "reason",
      ]),
      waiting: gauge("poppo_ingest_waiting_results", "Results received that are not committed yet."),
      flush: histogram("poppo_ingest_flush_duration_seconds", "One transaction with the batches that came together."),
      sessions: gauge("poppo_agent_sessions", "Agents whose session this replica holds."),
    },
    alerts: {
      stored: counter("poppo_alerts_total", "Alerts of integrations that were stored, by what became of them.", [
        "outcome",
      ]),
      flush: histogram("poppo_alerts_flush_duration_seconds", "One transaction with the alerts that came together."),
    },
    events: {
      appended: counter("poppo_events_appended_total", "Events that this replica committed, by type.", ["type"]),
      head: gauge("poppo_event_log_head", "The sequence number up to which this replica has read the event log."),
      lag: gauge("poppo_event_log_lag_events", "Committed events that this replica has not read yet."),
    },
    fanOut: {
      groups: gauge("poppo_fanout_groups", "Groups of subscribers that share one query at one position."),
      subscribers: gauge("poppo_fanout_subscribers", "Event subscriptions open on this replica."),
      messages: counter(
        "poppo_fanout_messages_total",
        "Pages written to subscribers, beside the one that answers a subscribe.",
      ),
      bytes: counter("poppo_fanout_written_bytes_total", "Bytes of these pages, without framing."),
      cutOff: counter("poppo_fanout_slow_consumers_total", "Subscribers cut off because they read too slowly."),
    },
    engine: {
      age: gauge("poppo_engine_round_age_seconds", "Since a module of the engine last finished a whole round.", [
        "module",
      ]),
      step: histogram("poppo_engine_step_duration_seconds", "One step of a module of the engine.", ["module"]),
      failures: counter("poppo_engine_step_failures_total", "Steps that failed, by module of the engine.", ["module"]),
    },
    remediations: {
      ended: counter("poppo_remediation_runs_ended_total", "Remediation runs that this replica ended, by status.", [
        "status",
      ]),
    },
    incidents: {
      open: gauge("poppo_incidents_open", "Open incidents of the installation; absent while the database is away.", [
        "severity",
      ]),
    },
    database: {
      up: gauge("poppo_database_up", "1 when the database answered the last question, which is at most 5 s old."),
      connections: gauge("poppo_database_pool_connections", "Connections of the pool."),
      idle: gauge("poppo_database_pool_idle_connections", "Connections of the pool that nobody uses."),
      waiting: gauge("poppo_database_pool_waiting_requests", "Who waits for a connection of the pool."),
    },
  };
}

function instruments(registry: Registry) {
  const registers = [registry];
  return {
    counter: <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
      new Counter<Label>({ name, help, labelNames, registers }),
    gauge: <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
      new Gauge<Label>({ name, help, labelNames, registers }),
    histogram: <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
      new Histogram<Label>({ name, help, labelNames, buckets: SECONDS, registers }),
  };
}

/** Runs, and observes how long it took, also when it failed. */
export async function timed<T>(histogram: { startTimer(): () => void }, run: () => Promise<T>): Promise<T> {
  const end = histogram.startTimer();
  try {
    return await run();
  } finally {
    end();
  }
}
