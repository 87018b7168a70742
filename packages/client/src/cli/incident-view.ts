import type { IncidentDetailsQuery, IncidentFieldsFragment } from "../generated/graphql.js";
import { type Output, printable, printableLines } from "./output.js";
import { runTable } from "./run-view.js";
import { count, when, word } from "./words.js";

export type IncidentDetails = NonNullable<IncidentDetailsQuery["incident"]>;
type Entry = IncidentDetails["timeline"]["events"][number];

export function incidentTable(out: Output, incidents: IncidentFieldsFragment[], empty: string): void {
  out.table(
    ["NO", "SEV", "STATUS", "LAST SEEN", "TIMES", "SERVICE", "TITLE"],
    incidents.map((incident) => [
      `#${incident.number}`,
      word(out, incident.severity),
      word(out, incident.status),
      when(incident.lastSeenAt, out.now),
      incident.duplicateCount + 1,
      incident.service?.name ?? "-",
      incident.title,
    ]),
    empty,
  );
}

export function showIncident(out: Output, incident: IncidentDetails): void {
  out.say(
    `#${incident.number} ${word(out, incident.severity)} ${word(out, incident.status)} ${out.paint("bold", printable(incident.title))}`,
  );
  if (incident.description) out.say(printableLines(incident.description));
  out.say("");
  for (const [name, value] of facts(out, incident))
    if (value) out.say(`${out.paint("dim", name.padEnd(12))} ${printable(value)}`);
  if (incident.evidence) section(out, "Evidence", printableLines(evidence(incident.evidence)));
  section(out, "Timeline");
  const { events } = incident.timeline;
  const width = Math.max(24, ...events.map(({ type }) => type.length));
  for (const event of events) out.say(entry(out, event, width));
  if (incident.remediationRuns.nodes.length === 0) return;
  section(out, "Remediations");
  runTable(out, incident.remediationRuns.nodes);
}

/** One line; of a note, whose summary is a short piece of it, every line. */
function entry(out: Output, { at, type, actor, summary, payload }: Entry, width: number): string {
  const { text } = type === "incident.note_added" ? (payload as { text?: string }) : {};
  const [first, ...rest] = text === undefined ? [printable(summary)] : printableLines(text).split("\n");
  const head = `  ${at}  ${type.padEnd(width)} ${first} ${out.paint("dim", `(${printable(actor)})`)}`;
  return [head, ...rest.map((line) => `    ${line}`)].join("\n");
}

const facts = (out: Output, incident: IncidentDetails): [string, string | null | undefined][] => [
  ["id", incident.id],
  ["category", incident.category],
  ["service", incident.service?.name],
  ["source", incident.source],
  ["first seen", `${incident.firstSeenAt} (${when(incident.firstSeenAt, out.now)})`],
  [
    "last seen",
    `${incident.lastSeenAt} (${when(incident.lastSeenAt, out.now)}), ${count(incident.duplicateCount + 1, "time")}`,
  ],
  ["assignee", incident.assignee],
  ["acknowledged", incident.acknowledgedAt && `${incident.acknowledgedAt} by ${incident.acknowledgedBy}`],
  ["snoozed", incident.snoozedUntil && `until ${incident.snoozedUntil}`],
  ["resolved", incident.resolvedAt && `${incident.resolvedAt} by ${incident.resolvedBy}`],
  ["resolution", incident.resolution],
  ["merged into", incident.mergedInto && `#${incident.mergedInto.number}`],
];

function section(out: Output, title: string, text?: string): void {
  out.say(`\n${out.paint("bold", title)}`);
  if (text) out.say(text);
}

/** Log lines are for reading, so text of several lines is shown as it is. */
function evidence(value: unknown): string {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [["", value]];
  return entries
    .filter(([, detail]) => detail !== null && detail !== "")
    .map(([name, detail]) => `  ${name}: ${asText(detail)}`)
    .join("\n");
}

function asText(detail: unknown): string {
  const lines = typeof detail === "string" && detail.includes("\n") ? detail.split("\n") : undefined;
  const list = Array.isArray(detail) && detail.every((line) => typeof line === "string") ? detail : lines;
  return list
    ? `\n${list.map((line) => `    ${line}`).join("\n")}`
    : typeof detail === "string"
      ? detail
      : JSON.stringify(detail);
}
