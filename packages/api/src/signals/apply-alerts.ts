import { resolveMany } from "../incidents/incident.service.js";
import { raiseMany } from "../incidents/raise.js";
import type { Act } from "../kernel/command.js";
import { type AlertOrigin, complaintAbout, toIncident } from "./alertmanager.incident.js";
import type { Alert, AlertPayload } from "./alertmanager.payload.js";
import {
  type EndedAlert,
  type FiringAlert,
  keepFiring,
  lockServices,
  noteReceived,
  type ReceivingIntegration,
  releaseFiring,
} from "./alertmanager.store.js";
import { unknownKey } from "./integration-key.js";
import { overIncidents } from "./over-incidents.js";

/** What came in one request. */
export interface Delivery {
  integrationId: string;
  payload: AlertPayload;
  /** Whether the sender still waits for the answer. */
  isAwaited(): boolean;
}

/** What became of the alerts of a delivery. */
export interface Receipt {
  /** New incidents. */
  raised: number;
  /** Firing alerts whose incident was open already. */
  duplicates: number;
  /** Ends that resolved an incident. */
  resolved: number;
  /** Ends that resolved none: of an unknown alert, an overtaken one, one whose incident has other causes or is a person's. */
  ignored: number;
}

/** One alert on its way. */
interface Entry {
  alert: Alert;
  origin: AlertOrigin;
  receipt: Receipt;
  /** Integration and fingerprint: the same trouble. */
  key: string;
}

/** Incidents of one statement. */
const CHUNK = 2000;

/**
 * Makes incidents of what was delivered. Set-based: one alert or thousands take the same few statements. Alerts of one
 * fingerprint are applied in the order they came. The transaction may run again, so nothing is kept from its first time.
 * @param integrations those of the deliveries that are in use, locked
 * @returns a receipt per delivery, or NOT_FOUND for one whose integration is not in use
 */
export async function applyDeliveries(
  act: Act,
  deliveries: Delivery[],
  integrations: ReadonlyMap<string, ReceivingIntegration>,
): Promise<(Receipt | Error)[]> {
  const serviceIds = await lockServices(act.client, serviceNames(deliveries));
  const entries: Entry[] = [];
  const receipts = deliveries.map(({ integrationId, payload }) => {
    const integration = integrations.get(integrationId);
    if (!integration) return unknownKey();
    const receipt: Receipt = { raised: 0, duplicates: 0, resolved: 0, ignored: 0 };
    const origin = { integration, externalURL: payload.externalURL, serviceIds };
    for (const alert of payload.alerts)
      entries.push({ alert, origin, receipt, key: `${integrationId} ${alert.fingerprint}` });
    return receipt;
  });
  for (const round of rounds(entries)) {
    await raise(
      act,
      round.filter(({ alert }) => alert.status === "firing"),
    );
    await end(
      act,
      round.filter(({ alert }) => alert.status === "resolved"),
    );
  }
  await complain(act, deliveries, integrations);
  const stale = [...integrations.values()].filter((integration) => integration.stale);
  if (stale.length > 0) act.send(noteReceived(stale.map(({ id }) => id)));
  return receipts;
}

const serviceNames = (deliveries: Delivery[]): string[] => [
  ...new Set(deliveries.flatMap(({ payload }) => payload.alerts.flatMap(({ labels }) => labels.service || []))),
];

/** What each alert says first, then what it says after its status changed, and so on; nearly always there is one round. */
function rounds(entries: Entry[]): Entry[][] {
  const last = new Map<string, { round: number; status: Alert["status"] }>();
  const result: Entry[][] = [];
  for (const entry of entries) {
    const before = last.get(entry.key);
    const { status } = entry.alert;
    const round = before ? before.round + (before.status === status ? 0 : 1) : 0;
    last.set(entry.key, { round, status });
    result[round] ??= [];
    result[round].push(entry);
  }
  return result;
}

async function raise(act: Act, entries: Entry[]): Promise<void> {
  const firing = new Map<string, FiringAlert>();
  for (let from = 0; from < entries.length; from += CHUNK) {
    const chunk = entries.slice(from, from + CHUNK);
    const raised = await raiseMany(
      act,
      chunk.map(({ alert, origin }) => toIncident(alert, origin)),
    );
    for (const [i, { alert, origin, receipt, key }] of chunk.entries()) {
      const { incident, isNew } = raised[i]!;
      receipt[isNew ? "raised" : "duplicates"]++;
      const { fingerprint, startsAt } = alert;
      const before = firing.get(key);
      firing.set(key, {
        integrationId: origin.integration.id,
        fingerprint,
        startsAt: before && before.startsAt > startsAt ? before.startsAt : startsAt,
        incidentId: incident.id,
      });
    }
  }
  if (firing.size > 0) act.send(keepFiring([...firing.values()]));
}

async function end(act: Act, entries: Entry[]): Promise<void> {
  if (entries.length === 0) return;
  const released = await releaseFiring(act.client, latestEnds(entries));
  const incidentIds = new Map(released.map((row) => [`${row.integrationId} ${row.fingerprint}`, row.incidentId]));
  const over = released.length > 0 ? await overIncidents(act.client, [...new Set(incidentIds.values())]) : new Map();
  for (const { receipt, key } of entries) {
    receipt[over.has(incidentIds.get(key) ?? "") ? "resolved" : "ignored"]++;
    // It ended once, however often that is said.
    incidentIds.delete(key);
  }
  if (over.size > 0) await resolveMany(act, [...new Set(over.values())], "Alertmanager reports that it is resolved");
}

/** Of what says the same thing twice, the end that is latest; one without a time is later than all. */
function latestEnds(entries: Entry[]): EndedAlert[] {
  const ends = new Map<string, EndedAlert>();
  for (const { alert, origin, key } of entries) {
    const { fingerprint, endsAt } = alert;
    const before = ends.get(key);
    if (before && (before.endsAt === null || (endsAt !== null && endsAt <= before.endsAt))) continue;
    ends.set(key, { integrationId: origin.integration.id, fingerprint, endsAt });
  }
  return [...ends.values()];
}

async function complain(
  act: Act,
  deliveries: Delivery[],
  integrations: ReadonlyMap<string, ReceivingIntegration>,
): Promise<void> {
  const complaints = deliveries.flatMap(({ integrationId, payload }) => {
    const integration = integrations.get(integrationId);
    return (integration && complaintAbout(payload, integration)) ?? [];
  });
  if (complaints.length > 0) await raiseMany(act, complaints);
}
