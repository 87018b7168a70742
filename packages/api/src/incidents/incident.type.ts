import { Field, ID, InputType, ObjectType } from "type-graphql";
import { type Connection, connectionOf } from "../graphql/connection.js";
import { CategoryEnum, publishEnum, SeverityEnum } from "../graphql/enums.js";
import { Node } from "../graphql/node.js";
import { payloadOf, UserError } from "../graphql/payload.js";
import { Cursor, DateTime } from "../graphql/scalars.js";
import { typeFrom } from "../graphql/type-from.js";
import type { IncidentCategory, Severity } from "../kernel/vocabulary.js";
import { INCIDENT_ORDERS, type IncidentConditions } from "./incident.query.js";
import { INCIDENT_STATUSES, type IncidentStatus } from "./incident.state.js";
import { type IncidentRow, incidents } from "./incident.table.js";

export const IncidentStatusEnum = publishEnum("IncidentStatus", INCIDENT_STATUSES, "Where an incident stands.");
export const IncidentOrderEnum = publishEnum(
  "IncidentOrder",
  INCIDENT_ORDERS,
  "NEWEST and OLDEST go by number; SEVERITY puts P0 first.",
);

export const Incident = typeFrom(
  "Incident",
  incidents,
  {
    id: "Its id.",
    number: "A short number for people.",
    title: "One line: what is wrong.",
    description: "More of it.",
    status: "Where it stands.",
    severity: "Now.",
    peakSeverity: "The worst it has been.",
    category: "What kind of trouble it is.",
    source: "What raised it.",
    dedupKey: "Raising this key again while the incident is open counts a duplicate.",
    duplicateCount: "How often it was raised again.",
    firstSeenAt: "When it was first raised.",
    lastSeenAt: "When it was last raised.",
    createdAt: "When it was opened.",
    updatedAt: "When it last changed.",
    acknowledgedAt: "When somebody took it on.",
    acknowledgedBy: "Who took it on.",
    assignee: "Who works on it.",
    snoozedUntil: "When it comes back by itself.",
    resolvedAt: "When it was over.",
    resolvedBy: "Who, or what, resolved it.",
    resolution: "How it was resolved.",
    evidence: "What was seen when it was raised.",
  },
  { description: "One trouble, from its first sign to its end.", implements: Node },
);
export const IncidentConnection = connectionOf("Incident", Incident);
export const IncidentPayload = payloadOf("IncidentPayload", { incident: { type: () => Incident } });

@ObjectType({ description: "What could be changed, and in `userErrors` what could not." })
export class BulkIncidentsPayload {
  @Field(() => String, { nullable: true, description: "As it was given." }) clientMutationId!: string | null;
  @Field(() => [Incident], { description: "Those that were changed." }) incidents!: IncidentRow[];
  @Field(() => [UserError], { description: "One for each that was not." }) userErrors!: UserError[];
}

@ObjectType({
  description:
    "State and log position of one moment: subscribe after the `cursor` of the first page and nothing is missed.",
})
export class IncidentSnapshot {
  @Field(() => Cursor, {
    description:
      "The head of the log at the moment of this page. A later page's lies behind what happened to an earlier page: subscribe after the first page's.",
  })
  cursor!: string;
  @Field(() => IncidentConnection, { description: "The incidents as they were at that moment." })
  incidents!: Connection<IncidentRow>;
}

@InputType({ description: "Every condition given must hold; an empty list matches nothing." })
export class IncidentFilter implements IncidentConditions {
  @Field(() => [IncidentStatusEnum], { nullable: true, description: "In one of these states." }) statuses?:
    | IncidentStatus[]
    | null;
  @Field(() => [SeverityEnum], { nullable: true, description: "With one of these severities now." }) severities?:
    | Severity[]
    | null;
  @Field(() => [CategoryEnum], { nullable: true, description: "Of these categories." }) categories?:
    | IncidentCategory[]
    | null;
  @Field(() => [ID], { nullable: true, description: "Of these services." }) serviceIds?: string[] | null;
  @Field(() => String, { nullable: true, description: "That exactly this person works on." }) assignee?: string | null;
  @Field(() => Boolean, { nullable: true, description: "Whether anybody works on it." }) assigned?: boolean | null;
  @Field(() => String, { nullable: true, description: "That exactly this source raised." }) source?: string | null;
  @Field(() => String, { nullable: true, description: "Part of the title, in any case." }) search?: string | null;
  @Field(() => DateTime, { nullable: true, description: "Opened later than this." }) createdAfter?: Date | null;
  @Field(() => DateTime, { nullable: true, description: "Opened earlier than this." }) createdBefore?: Date | null;
}
