import type { Client } from "../client.js";
import { IncidentDocument } from "../generated/graphql.js";
import { notFound, usage } from "./failure.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
export const isId = (text: string): boolean => UUID.test(text);

/** What `<incident>` takes, and `<incidents...>`. */
export const INCIDENT_ARGUMENT = "number (12 or #12) or id";
export const INCIDENTS_ARGUMENT = "numbers (12 or #12) or ids";

/** `12`, `#12` or an id, as the schema's arguments. */
export function reference(given: string): { id: string } | { number: number } {
  if (isId(given)) return { id: given };
  const number = /^#?(\d{1,9})$/.exec(given)?.[1];
  if (!number) throw usage(`"${given}" is no incident: write its number, as 12 or #12, or its id.`);
  return { number: Number(number) };
}

export async function incidentId(client: Client, given: string): Promise<string> {
  const wanted = reference(given);
  if ("id" in wanted) return wanted.id;
  const { incident } = await client.request(IncidentDocument, wanted);
  if (!incident) throw notFound(`incident #${wanted.number}`, "See `poppo-ops incidents list --status any`.");
  return incident.id;
}

export const incidentIds = (client: Client, given: string[]): Promise<string[]> =>
  Promise.all(given.map((one) => incidentId(client, one)));
