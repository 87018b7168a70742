import { createHash } from "node:crypto";
import type { TestServer } from "../../http/testing/test-server.js";

type Labels = Record<string, string>;

export interface TestAlert {
  status: "firing" | "resolved";
  labels: Labels;
  annotations: Labels;
  startsAt: string;
  endsAt: string;
  generatorURL: string;
  fingerprint: string;
}

/** An alert as Alertmanager would send it: the same labels have the same fingerprint. */
export function alert(status: "firing" | "resolved", labels: Labels, fields: Partial<TestAlert> = {}): TestAlert {
  const startsAt = fields.startsAt ?? "2026-03-01T10:00:00.123456789Z";
  return {
    status,
    labels: { alertname: "Down", ...labels },
    annotations: {},
    startsAt,
    endsAt: status === "firing" ? "0001-01-01T00:00:00Z" : startsAt.replace("T10:", "T11:"),
    generatorURL: "http://prometheus/graph",
    fingerprint: createHash("sha256").update(JSON.stringify(labels)).digest("hex").slice(0, 16),
    ...fields,
  };
}

/** A webhook of version 4. */
export const webhook = (alerts: unknown[], fields: object = {}) => ({
  version: "4",
  receiver: "poppo-ops",
  status: "firing",
  groupKey: '{}:{alertname="Down"}',
  truncatedAlerts: 0,
  groupLabels: {},
  commonLabels: {},
  commonAnnotations: {},
  externalURL: "http://alertmanager",
  alerts,
  ...fields,
});

/** An integration with a name of its own, and what a sender with its key can do. */
export async function givenAlertmanager(server: TestServer, input: object = {}) {
  const { data } = await server.ask(
    `mutation ($input: CreateIntegrationInput!) {
      createIntegration(input: $input) { path integration { id name prefix } userErrors { code message } }
    }`,
    { input: { name: `alertmanager ${++made}`, kind: "ALERTMANAGER", ...input } },
  );
  const { path, integration } = data.createIntegration as { path: string; integration: { id: string; name: string } };
  const send = (body: unknown, headers: Record<string, string> = {}) =>
    post(`${server.url}${path}`, typeof body === "string" ? body : JSON.stringify(body), headers);
  return { ...integration, path, send, alerts: (...alerts: unknown[]) => send(webhook(alerts)) };
}
let made = 0;

export interface Answer {
  status: number;
  retryAfter: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it has asked for
  body: any;
}

/** Text is sent with its length, a stream without. */
export async function post(
  url: string,
  body: string | ReadableStream,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
    duplex: "half",
  });
  return { status: response.status, retryAfter: response.headers.get("retry-after"), body: await response.json() };
}
