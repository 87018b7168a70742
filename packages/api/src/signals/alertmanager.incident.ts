import type { NewIncident } from "../incidents/raise.js";
import { CATEGORIES, type IncidentCategory } from "../kernel/vocabulary.js";
import type { Alert, AlertPayload } from "./alertmanager.payload.js";
import { cut, cutTexts } from "./cut.js";
import type { IntegrationRow } from "./integration.table.js";
import { severityFrom } from "./severity-map.js";
import { ALERTMANAGER_SOURCE } from "./sources.js";

/** What an alert is taken for: the settings of its integration, and the catalogue. */
export interface AlertOrigin {
  integration: Pick<IntegrationRow, "id" | "name" | "severities" | "defaultSeverity" | "category" | "serviceId">;
  externalURL: string | null;
  /** Ids of services by their names, of all that are mentioned. */
  serviceIds: ReadonlyMap<string, string>;
}

/** The incident that a firing alert raises. The same fingerprint is the same trouble. */
export function toIncident(alert: Alert, { integration, externalURL, serviceIds }: AlertOrigin): NewIncident {
  const { labels, annotations } = alert;
  return {
    title: cut(titleOf(alert), 300),
    description: cut(annotations.description || annotations.message || "", 20_000),
    severity: severityFrom(labels.severity, integration.severities, integration.defaultSeverity),
    category: categoryOf(labels.category) ?? integration.category,
    serviceId: serviceIds.get(labels.service ?? "") ?? integration.serviceId,
    dedupKey: `${ALERTMANAGER_SOURCE}${integration.id}:${alert.fingerprint}`,
    source: `${ALERTMANAGER_SOURCE}${integration.name}`,
    evidence: {
      integration: integration.name,
      integrationId: integration.id,
      fingerprint: alert.fingerprint,
      startsAt: alert.startsAt,
      labels: cutTexts(labels),
      annotations: cutTexts(annotations),
      generatorURL: cut(alert.generatorURL ?? "", 2000),
      externalURL: cut(externalURL ?? "", 2000),
    },
  };
}

/** What could not be taken is somebody's trouble too: it may have been a page. Undefined when everything was taken. */
export function complaintAbout(
  { malformed, truncated, externalURL }: AlertPayload,
  { id, name, defaultSeverity, serviceId }: AlertOrigin["integration"],
): NewIncident | undefined {
  if (malformed.length === 0 && truncated === 0) return undefined;
  const reasons = [
    ...(truncated > 0 ? [`Alertmanager left out ${truncated} alerts: raise max_alerts, or group more finely.`] : []),
    ...malformed.slice(0, 20).map(({ index, reason }) => `alerts[${index}] is malformed: ${reason}`),
  ];
  return {
    title: cut(`Alerts of "${name}" are missing`, 300),
    description: cut(reasons.join("\n"), 20_000),
    severity: defaultSeverity,
    category: "MONITORING",
    serviceId,
    dedupKey: `${ALERTMANAGER_SOURCE}${id}#missing`,
    source: `${ALERTMANAGER_SOURCE}${name}`,
    evidence: { malformed: malformed.length, truncated, externalURL: cut(externalURL ?? "", 2000) },
  };
}

function titleOf({ labels, annotations, fingerprint }: Alert): string {
  const summary = annotations.summary?.trim();
  if (summary) return summary;
  const name = labels.alertname || `alert ${fingerprint}`;
  return labels.instance ? `${name} on ${labels.instance}` : name;
}

const categoryOf = (given = ""): IncidentCategory | undefined => {
  const wanted = given.toUpperCase().replace(/[\s-]/g, "_");
  return CATEGORIES.find((category) => category === wanted);
};
