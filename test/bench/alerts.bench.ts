import { CreateIntegrationDocument, unwrap } from "@poppo-ops/client";
import { startAlertmanager } from "../harness/alertmanager-process.js";
import type { ServerProcess } from "../harness/server-process.js";
import type { BareAlertsInput } from "./alerts-bare.load.js";
import { httpLoad } from "./http-load.js";
import { runLoad } from "./load-process.js";
import { installed, measured, peerOf } from "./peer.js";
import { type Row, round } from "./row.js";

interface Shape {
  id: string;
  alerts: number;
  batch: number;
  connections: number;
}

/** Alerts that begin and end, through the webhook that a Prometheus Alertmanager calls. */
export async function alerts(server: ServerProcess, quick: boolean): Promise<Row[]> {
  return [
    await row(server, { id: "alerts", alerts: quick ? 10_000 : 40_000, batch: 100, connections: 8 }),
    await row(server, { id: "alerts.single", alerts: quick ? 2000 : 10_000, batch: 1, connections: 32 }),
  ];
}

async function row(server: ServerProcess, shape: Shape): Promise<Row> {
  const { id, alerts, batch, connections } = shape;
  const { createIntegration } = await server.client.request(CreateIntegrationDocument, {
    input: { name: id, kind: "ALERTMANAGER" },
  });
  const webhook = `${server.url}${unwrap(createIntegration).path}`;
  const ours = await sendAll(webhook, shape, webhookBody, '"malformed":[]');
  const limit = await runLoad<BareAlertsInput, number>(new URL("./alerts-bare.load.js", import.meta.url), {
    databaseUrl: server.databaseUrl,
    alerts,
    batch,
    connections,
  });
  const alertmanager = await measured(async () => {
    await installed("/usr/bin/prometheus-alertmanager");
    await using peer = await startAlertmanager("route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n");
    return await sendAll(`${peer.url}/api/v2/alerts`, shape, JSON.stringify, "");
  });
  const requests = batch === 1 ? "one by one" : `in batches of ${batch}`;
  return {
    id,
    value: round(ours, 0),
    unit: "alerts/s",
    limit: round(limit, 0),
    peers: [peerOf("Alertmanager, in memory", alertmanager, (perSecond) => round(perSecond, 0))],
    note: `${alerts} alerts that fire and are resolved, ${requests} on ${connections} connections, each an incident; limit: as many rows inserted and updated by unnest in a table with no index but its key, a commit per request`,
  };
}

/** Everything fires, and then everything is resolved; a few others warm the receiver up. Alerts per second. */
async function sendAll(
  url: string,
  shape: Shape,
  body: (alerts: Alert[]) => string,
  expected: string,
): Promise<number> {
  const { alerts, batch, connections } = shape;
  const send = (from: number, to: number, endsAt?: string) => {
    const bodies: string[] = [];
    for (let i = from; i < to; i += batch)
      bodies.push(body(Array.from({ length: batch }, (_, j) => alertOf(i + j, endsAt))));
    return httpLoad({ url, bodies, connections, expected });
  };
  const endsAt = new Date().toISOString();
  for (const end of [undefined, endsAt]) await send(alerts, alerts + 1000, end);
  const firing = await send(0, alerts);
  const resolved = await send(0, alerts, endsAt);
  const requests = alerts / batch;
  return (2 * alerts) / (requests / firing.perSecond + requests / resolved.perSecond);
}

type Alert = ReturnType<typeof alertOf>;
const STARTS_AT = new Date(Date.now() - 60_000).toISOString();

const alertOf = (number: number, endsAt?: string) => ({
  labels: { alertname: "InstanceDown", instance: `host-${number}:9100`, job: "node", severity: "critical" },
  annotations: { summary: `host-${number} is down`, description: "It has not answered its scrapes for five minutes." },
  startsAt: STARTS_AT,
  endsAt,
  generatorURL: "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0",
});

/** https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
const webhookBody = (alerts: Alert[]): string => {
  const statusOf = ({ endsAt }: Alert) => (endsAt ? "resolved" : "firing");
  return JSON.stringify({
    version: "4",
    groupKey: "{}",
    receiver: "poppo-ops",
    status: statusOf(alerts[0]!),
    truncatedAlerts: 0,
    groupLabels: {},
    commonLabels: {},
    commonAnnotations: {},
    externalURL: "http://alertmanager:9093",
    alerts: alerts.map((alert) => ({
      ...alert,
      status: statusOf(alert),
      endsAt: alert.endsAt ?? "0001-01-01T00:00:00Z",
      fingerprint: Buffer.from(alert.labels.instance).toString("hex"),
    })),
  });
};
