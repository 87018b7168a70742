import { Field, ID, InputType, ObjectType } from "type-graphql";
import { SeverityEnum } from "../graphql/enums.js";
import { BigIntText, Cursor, Json } from "../graphql/scalars.js";
import { typeFrom } from "../graphql/type-from.js";
import type { AppendedEvent } from "../kernel/appended.js";
import type { Severity } from "../kernel/vocabulary.js";
import { encodeCursor } from "./cursor.js";
import { events } from "./event.table.js";

/** An event as clients see it: its row, and where it stands. */
export interface PublishedEvent extends AppendedEvent {
  cursor: string;
}

export const Event = typeFrom(
  "Event",
  events,
  {
    type: "`<noun>.<past verb>`, for example `incident.raised`.",
    at: "When the change was made, by the database's clock.",
    actor: "Who made it.",
    incidentId: { description: "The incident it happened to.", type: ID },
    serviceId: { description: "The service it concerns.", type: ID },
    severity: "The incident's severity at that moment.",
    summary: "One line for a person.",
    payload: { description: "The details, by type.", type: Json },
  },
  { description: "One change, with its place in the log." },
);
Field(() => Cursor, { description: "Subscribe after it to get what follows." })(Event.prototype, "cursor");

export const publish = (row: AppendedEvent, epoch: string): PublishedEvent => ({
  ...row,
  cursor: encodeCursor({ epoch, seq: row.seq }),
});

@ObjectType({ description: "Events between the cursor asked for and `oldestCursor` cannot be given any more." })
export class EventGap {
  @Field(() => String, {
    description:
      "`EPOCH_CHANGED`: the log was given a new epoch, as after a restore, or the cursor is of another database. `AHEAD`: the cursor lies after the head.",
  })
  reason!: string;
  @Field(() => Cursor, { description: "After it comes the oldest event there is." }) oldestCursor!: string;
}

@ObjectType({ description: "Events in order, without a hole. An empty page is a heartbeat." })
export class EventPage {
  @Field(() => [Event], { description: "Oldest first." }) events!: PublishedEvent[];
  @Field(() => Cursor, { description: "Go on after this." }) cursor!: string;
  @Field(() => Boolean, { description: "Nothing later was known when the page was made." }) caughtUp!: boolean;
  @Field(() => EventGap, { nullable: true, description: "Set when events are missing before this page." })
  gap!: EventGap | null;
}

@InputType({ description: "Every condition given must hold; an empty list matches nothing." })
export class EventFilter {
  @Field(() => [String], { nullable: true, description: "`incident.raised`, or a family as `incident.*`." }) types?:
    | string[]
    | null;
  @Field(() => [ID], { nullable: true, description: "Of these incidents." }) incidentIds?: string[] | null;
  @Field(() => [ID], { nullable: true, description: "Concerning these services." }) serviceIds?: string[] | null;
  @Field(() => [SeverityEnum], {
    nullable: true,
    description: "Of incidents that had one of these severities at that moment.",
  })
  severities?: Severity[] | null;
}

@ObjectType({ description: "One link of the hash chain: hash = SHA-256(previous hash ‖ body), verifiable offline." })
export class AuditRecord {
  @Field(() => BigIntText) seq!: number;
  @Field(() => String, { description: "The exact text that was hashed." }) body!: string;
  @Field(() => String, { description: "Hex SHA-256 of the previous hash and the body." }) hash!: string;
}
