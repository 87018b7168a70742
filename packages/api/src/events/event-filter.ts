import { and, inArray, like, or, type SQL } from "drizzle-orm";
import { AppError } from "../kernel/app-error.js";
import type { AppendedEvent } from "../kernel/appended.js";
import { parseUuid } from "../kernel/uuid.js";
import { events } from "./event.table.js";
import type { EventFilter } from "./event.type.js";

const idsOf = (filter: EventFilter, field: "incidentIds" | "serviceIds"): string[] | undefined =>
  filter[field]?.map((id) => parseUuid(id, field));

/** One filter, twice: over rows in memory for subscribers, as SQL for queries. The tests hold them together. */
export function matcher(filter: EventFilter | null | undefined): (event: AppendedEvent) => boolean {
  if (!filter) return () => true;
  const types = filter.types && typeMatcher(checkTypes(filter.types));
  const incidentIds = idsOf(filter, "incidentIds");
  const serviceIds = idsOf(filter, "serviceIds");
  const incidents = incidentIds && new Set<string | null>(incidentIds);
  const services = serviceIds && new Set<string | null>(serviceIds);
  const severities = filter.severities && new Set<string | null>(filter.severities);
  return (event) =>
    (!types || types(event.type)) &&
    (!incidents || incidents.has(event.incidentId)) &&
    (!services || services.has(event.serviceId)) &&
    (!severities || severities.has(event.severity));
}

/** A reader of a type that cannot be would wait for ever and never know why. */
function checkTypes(types: string[]): string[] {
  const wrong = types.find((type) => !/^[a-z_]+\.(\*|[a-z_]+)$/.test(type));
  if (wrong === undefined) return types;
  const message = `types: "${wrong.slice(0, 80)}" is no event type; write it like incident.raised, or a family like incident.*`;
  throw new AppError("BAD_INPUT", message, { field: "types" });
}

function typeMatcher(types: string[]): (type: string) => boolean {
  const exact = new Set(types);
  const families = types.filter((t) => t.endsWith(".*")).map((t) => t.slice(0, -1));
  return (type) => exact.has(type) || families.some((family) => type.startsWith(family));
}

export function filterSql(filter: EventFilter | null | undefined): SQL | undefined {
  if (!filter) return undefined;
  const { types, severities } = filter;
  const incidentIds = idsOf(filter, "incidentIds");
  const serviceIds = idsOf(filter, "serviceIds");
  if (types) checkTypes(types);
  return and(
    types
      ? or(
          inArray(events.type, types),
          ...types
            .filter((t) => t.endsWith(".*"))
            .map((t) => like(events.type, `${t.slice(0, -1).replace(/[\\%_]/g, "\\$&")}%`)),
        )
      : undefined,
    incidentIds ? inArray(events.incidentId, incidentIds) : undefined,
    serviceIds ? inArray(events.serviceId, serviceIds) : undefined,
    severities ? inArray(events.severity, severities) : undefined,
  );
}
