import type { GraphQLResolveInfo } from "graphql";
import { Arg, Ctx, FieldResolver, ID, Info, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import { decodeCursor, encodeCursor } from "../events/cursor.js";
import { Event, EventPage, type PublishedEvent } from "../events/event.type.js";
import { headOf, timelineOf } from "../events/read-events.js";
import { type Connection, checkFirst } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { payload, userErrors } from "../graphql/payload.js";
import { Requires } from "../graphql/policy.js";
import { Cursor } from "../graphql/scalars.js";
import { isSelected } from "../graphql/selection.js";
import { inputFrom } from "../graphql/type-from.js";
import type { AppError } from "../kernel/app-error.js";
import { Service, type ServiceRow, serviceById } from "../services/service.resolver.js";
import { findIncidents, type IncidentOrder, incidentById, incidentByNumber } from "./incident.query.js";
import * as service from "./incident.service.js";
import type { IncidentRow } from "./incident.table.js";
import {
  BulkIncidentsPayload,
  Incident,
  IncidentConnection,
  IncidentFilter,
  IncidentOrderEnum,
  IncidentPayload,
  IncidentSnapshot,
} from "./incident.type.js";
import { type ListedIncident, lastEventOf, listedFields } from "./incident-list.js";

const RaiseIncidentInput = inputFrom("RaiseIncidentInput", service.raiseIncident.input);
const AcknowledgeIncidentInput = inputFrom("AcknowledgeIncidentInput", service.acknowledgeIncident.input);
const AssignIncidentInput = inputFrom("AssignIncidentInput", service.assignIncident.input);
const SetSeverityInput = inputFrom("SetSeverityInput", service.setSeverity.input);
const AddNoteInput = inputFrom("AddNoteInput", service.addNote.input);
const SnoozeIncidentInput = inputFrom("SnoozeIncidentInput", service.snoozeIncident.input);
const MergeIncidentsInput = inputFrom("MergeIncidentsInput", service.mergeIncidents.input);
const ResolveIncidentInput = inputFrom("ResolveIncidentInput", service.resolveIncident.input);
const ReopenIncidentInput = inputFrom("ReopenIncidentInput", service.reopenIncident.input);
const AcknowledgeIncidentsInput = inputFrom("AcknowledgeIncidentsInput", service.acknowledgeIncidents.input);
const ResolveIncidentsInput = inputFrom("ResolveIncidentsInput", service.resolveIncidents.input);

type Bulk = Promise<{ incidents: IncidentRow[]; refusals: AppError[] }>;
const bulk = async (changed: Bulk) => {
  const { incidents, refusals } = await changed;
  return { incidents, userErrors: refusals.flatMap(userErrors) };
};

/** Not a promise where the list brought it along: fifty of them are a tenth of a page's time. */
type Resolved<T> = T | null | Promise<T | null>;

@Resolver(() => Incident)
export class IncidentResolver {
  @Query(() => IncidentConnection, {
    description: "Incidents that meet the filter, page by page; open and closed ones unless `statuses` says otherwise.",
  })
  @Requires("read")
  async incidents(
    @Arg("filter", () => IncidentFilter, { nullable: true }) filter: IncidentFilter | null,
    @Arg("orderBy", () => IncidentOrderEnum, { defaultValue: "NEWEST" }) orderBy: IncidentOrder,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
    @Info() info: GraphQLResolveInfo,
  ): Promise<Connection<IncidentRow>> {
    return findIncidents(scope.app.database.db, filter ?? {}, orderBy, { first, after }, listedFields(info));
  }

  @Query(() => Incident, { nullable: true, description: "By id or by number." })
  @Requires("read")
  async incident(
    @Arg("id", () => ID, { nullable: true }) id: string | null,
    @Arg("number", () => Int, { nullable: true }) number: number | null,
    @Ctx() { scope, loaders }: Context,
  ): Promise<IncidentRow | null> {
    return id ? loaders.load(incidentById, id) : incidentByNumber(scope.app.database.db, number ?? 0);
  }

  @Query(() => IncidentSnapshot, {
    description:
      "State and log position of one moment, read in one transaction; newest first. Each page is a moment of its own: subscribe after the `cursor` of the first page, whatever pages follow, and nothing is missed. A later page may already show what an event then tells.",
  })
  @Requires("read")
  async incidentSnapshot(
    @Arg("filter", () => IncidentFilter, { nullable: true }) filter: IncidentFilter | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
    @Info() info: GraphQLResolveInfo,
  ): Promise<IncidentSnapshot> {
    return scope.app.database.transaction(
      async ({ db }) => {
        const cursor = encodeCursor(await headOf(db));
        const fields = listedFields(info, "incidents");
        const incidents = await findIncidents(db, filter ?? {}, "NEWEST", { first, after }, fields);
        // Now or never: the transaction, and its moment, are over when the field is resolved.
        if (isSelected(info, "incidents", "totalCount")) await incidents.totalCount;
        return { cursor, incidents };
      },
      { isolation: "REPEATABLE READ" },
    );
  }

  @FieldResolver(() => Service, { nullable: true, description: "The service it is about." })
  service(@Root() { service, serviceId }: ListedIncident, @Ctx() { loaders }: Context): Resolved<ServiceRow> {
    if (service !== undefined) return service;
    return serviceId ? loaders.load(serviceById, serviceId) : null;
  }

  @FieldResolver(() => Incident, { nullable: true, description: "Set when it is MERGED." })
  async mergedInto(@Root() { mergedIntoId }: IncidentRow, @Ctx() { loaders }: Context): Promise<IncidentRow | null> {
    return mergedIntoId ? loaders.load(incidentById, mergedIntoId) : null;
  }

  @FieldResolver(() => EventPage, { description: "Everything that happened to it, oldest first." })
  async timeline(
    @Root() { id }: IncidentRow,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => Cursor, { nullable: true }) after: string | null,
    @Ctx() { loaders }: Context,
  ): Promise<EventPage> {
    const key = { incidentId: id, after: after ? decodeCursor(after) : null, first: checkFirst(first) };
    return (await loaders.load(timelineOf, key))!;
  }

  @FieldResolver(() => Event, { nullable: true, description: "The newest entry of the timeline." })
  lastEvent(@Root() { lastEvent, id }: ListedIncident, @Ctx() { loaders }: Context): Resolved<PublishedEvent> {
    return lastEvent === undefined ? loaders.load(lastEventOf, id) : lastEvent;
  }

  @Mutation(() => IncidentPayload, {
    description:
      "Opens an incident, or counts a duplicate of the open one with the same `dedupKey`. BAD_INPUT: the evidence is larger than 64 KiB. NOT_FOUND: the service.",
  })
  @Requires(service.raiseIncident.permission)
  async raiseIncident(
    @Arg("input", () => RaiseIncidentInput) input: InstanceType<typeof RaiseIncidentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => service.raiseIncident(scope, input));
  }

  @Mutation(() => IncidentPayload, {
    description:
      "Somebody takes it on. Of several at once exactly one does. CONFLICT: it is not TRIGGERED or SNOOZED; the message says who has it. NOT_FOUND.",
  })
  @Requires(service.acknowledgeIncident.permission)
  async acknowledgeIncident(
    @Arg("input", () => AcknowledgeIncidentInput) input: InstanceType<typeof AcknowledgeIncidentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => service.acknowledgeIncident(scope, input));
  }

  @Mutation(() => IncidentPayload, {
    description: "Says who works on it, or that nobody does. CONFLICT: it is not open. NOT_FOUND.",
  })
  @Requires(service.assignIncident.permission)
  async assignIncident(
    @Arg("input", () => AssignIncidentInput) input: InstanceType<typeof AssignIncidentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => service.assignIncident(scope, input));
  }

  @Mutation(() => IncidentPayload, {
    description: "Changes the severity; `peakSeverity` only rises. CONFLICT: it is not open. NOT_FOUND.",
  })
  @Requires(service.setSeverity.permission)
  async setSeverity(
    @Arg("input", () => SetSeverityInput) input: InstanceType<typeof SetSeverityInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => service.setSeverity(scope, input));
  }

  @Mutation(() => IncidentPayload, {
    description:
      "Writes a note into the timeline, also after the end. CONFLICT: it was merged; the message says into which. NOT_FOUND.",
  })
  @Requires(service.addNote.permission)
  async addNote(@Arg("input", () => AddNoteInput) input: InstanceType<typeof AddNoteInput>, @Ctx() { scope }: Context) {
    return payload(input, () => service.addNote(scope, input));
  }

  @Mutation(() => IncidentPayload, {
    description:
      "Puts it aside: it comes back as TRIGGERED by itself. Snoozed again, the new time counts. CONFLICT: it is not open. NOT_FOUND.",
  })
  @Requires(service.snoozeIncident.permission)
  async snoozeIncident(
    @Arg("input", () => SnoozeIncidentInput) input: InstanceType<typeof SnoozeIncidentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => service.snoozeIncident(scope, input));
  }

  @Mutation(() => IncidentPayload, {
    description:
      "Makes several incidents one: those in `fromIds` become MERGED for good, and their duplicates, worst severity and times go to `intoId`. All or none. CONFLICT: `intoId` is not open, or one of `fromIds` is MERGED already. BAD_INPUT: one into itself. NOT_FOUND.",
  })
  @Requires(service.mergeIncidents.permission)
  async mergeIncidents(
    @Arg("input", () => MergeIncidentsInput) input: InstanceType<typeof MergeIncidentsInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => service.mergeIncidents(scope, input));
  }

  @Mutation(() => IncidentPayload, { description: "It is over. CONFLICT: it is not open. NOT_FOUND." })
  @Requires(service.resolveIncident.permission)
  async resolveIncident(
    @Arg("input", () => ResolveIncidentInput) input: InstanceType<typeof ResolveIncidentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => service.resolveIncident(scope, input));
  }

  @Mutation(() => IncidentPayload, {
    description:
      "It was not over: RESOLVED becomes TRIGGERED. CONFLICT: it is not RESOLVED, or its `dedupKey` has another open incident. NOT_FOUND.",
  })
  @Requires(service.reopenIncident.permission)
  async reopenIncident(
    @Arg("input", () => ReopenIncidentInput) input: InstanceType<typeof ReopenIncidentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => service.reopenIncident(scope, input));
  }

  @Mutation(() => BulkIncidentsPayload, {
    description:
      "Acknowledges, of up to 500, those that are TRIGGERED or SNOOZED; `userErrors` has a CONFLICT or NOT_FOUND for each of the others.",
  })
  @Requires(service.acknowledgeIncidents.permission)
  async acknowledgeIncidents(
    @Arg("input", () => AcknowledgeIncidentsInput) input: InstanceType<typeof AcknowledgeIncidentsInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => bulk(service.acknowledgeIncidents(scope, input)), { incidents: [] });
  }

  @Mutation(() => BulkIncidentsPayload, {
    description:
      "Resolves, of up to 500, those that are open; `userErrors` has a CONFLICT or NOT_FOUND for each of the others.",
  })
  @Requires(service.resolveIncidents.permission)
  async resolveIncidents(
    @Arg("input", () => ResolveIncidentsInput) input: InstanceType<typeof ResolveIncidentsInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => bulk(service.resolveIncidents(scope, input)), { incidents: [] });
  }
}

/** The incident an event happened to: added here, because the events' floor does not know incidents. */
@Resolver(() => Event)
export class EventIncidentResolver {
  @FieldResolver(() => Incident, { nullable: true, description: "The incident it happened to." })
  async incident(@Root() { incidentId }: PublishedEvent, @Ctx() { loaders }: Context): Promise<IncidentRow | null> {
    return incidentId ? loaders.load(incidentById, incidentId) : null;
  }
}
