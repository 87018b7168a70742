import { COMMAND_ENDS, OUTCOME_STATUSES } from "@poppo-ops/plugins/wire";
import { registerEnumType } from "type-graphql";
import { ROLES } from "../kernel/permissions.js";
import { CATEGORIES, SEVERITIES } from "../kernel/vocabulary.js";

const published = new Map<string, object>();
const keyOf = (values: readonly string[]) => values.join("|");

/** Publishes a list of words as a GraphQL enum; columns and inputs with the same words find it by themselves. */
export function publishEnum<const Values extends readonly string[]>(name: string, values: Values, description: string) {
  const type = Object.fromEntries(values.map((value) => [value, value]));
  registerEnumType(type, { name, description });
  published.set(keyOf(values), type);
  return type as { [Value in Values[number]]: Value };
}

/** @throws when nobody published these words */
export function enumOf(values: readonly string[]): object {
  const type = published.get(keyOf(values));
  if (!type) throw new Error(`no GraphQL enum was published for ${values.join(", ")}; call publishEnum first`);
  return type;
}

export const SeverityEnum = publishEnum(
  "Severity",
  SEVERITIES,
  "P0 answers within 15 minutes, P1 1 hour, P2 4 hours, P3 the next business day.",
);
export const CategoryEnum = publishEnum("IncidentCategory", CATEGORIES, "What kind of trouble.");
export const RoleEnum = publishEnum("Role", ROLES, "What a token may do.");
export const OutcomeStatusEnum = publishEnum("OutcomeStatus", OUTCOME_STATUSES, "How a probe ended.");
publishEnum("CommandEnd", COMMAND_ENDS, "How a command ended.");
