import type { Metrics, OutcomeStatus } from "@poppo-ops/plugins/wire";
import type { NewIncident } from "../incidents/raise.js";
import { type IncidentCategory, SEVERITIES, type Severity } from "../kernel/vocabulary.js";
import { PROBE_SOURCE } from "./sources.js";

/** What a signal needs to know of where it comes from. */
export interface SignalOrigin {
  agent: { id: string; name: string };
  probe: {
    id: string;
    name: string;
    kind: string;
    severity: Severity;
    category: IncidentCategory;
    serviceId: string | null;
  };
  item: string;
}

export interface SignalOutcome {
  status: OutcomeStatus;
  summary: string;
  metrics: Metrics | null;
  evidence: Readonly<Record<string, unknown>> | null;
}

/** The same trouble of the same thing has the same key while it is open. */
export const signalKey = ({ agent, probe, item }: SignalOrigin): string => `probe:${probe.id}:${agent.id}:${item}`;

/** The incident that a believed problem raises, for example "docker web-1 on host-a: exited with code 137". */
export function toIncident(origin: SignalOrigin, outcome: SignalOutcome, reason: string): NewIncident {
  const { agent, probe, item } = origin;
  return {
    title: `${probe.name}${item ? ` ${item}` : ""} on ${agent.name}: ${outcome.summary}`.slice(0, 300),
    description: `${probe.kind} reported ${outcome.status}: ${reason}.`,
    severity: severityOf(outcome.status, probe.severity),
    category: probe.category,
    serviceId: probe.serviceId,
    dedupKey: signalKey(origin),
    source: PROBE_SOURCE,
    evidence: {
      agent: agent.name,
      agentId: agent.id,
      probe: probe.name,
      probeId: probe.id,
      kind: probe.kind,
      item,
      status: outcome.status,
      reason,
      metrics: outcome.metrics,
      ...outcome.evidence,
    },
  };
}

/** What the probe says for CRIT and TIMEOUT; one step lower for WARN and UNKNOWN. */
export function severityOf(status: OutcomeStatus, severity: Severity): Severity {
  if (status !== "WARN" && status !== "UNKNOWN") return severity;
  return SEVERITIES[Math.min(SEVERITIES.indexOf(severity) + 1, SEVERITIES.length - 1)]!;
}

/** How an incident reads that its probe has ended. */
export const recoveryText = (probeName: string, reason: string): string => `${probeName} has recovered: ${reason}`;
