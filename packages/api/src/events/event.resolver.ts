import { Arg, Ctx, Int, Query, Resolver, Root, Subscription } from "type-graphql";
import { checkFirst } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { Requires } from "../graphql/policy.js";
import { BigIntText, Cursor } from "../graphql/scalars.js";
import { AppError } from "../kernel/app-error.js";
import { AuditRecord, EventFilter, EventPage } from "./event.type.js";
import { readEvents } from "./read-events.js";

@Resolver()
export class EventResolver {
  @Query(() => EventPage, { description: "The event log, oldest first, from its beginning or after a cursor." })
  @Requires("read")
  async events(
    @Arg("filter", () => EventFilter, { nullable: true }) filter: EventFilter | null,
    @Arg("after", () => Cursor, { nullable: true }) after: string | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Ctx() { scope }: Context,
  ): Promise<EventPage> {
    return readEvents(scope.app.database.db, { filter, after, first: checkFirst(first) });
  }

  @Query(() => [AuditRecord], { description: "The hash chain behind the event log, oldest first." })
  @Requires("audit:read")
  async auditLog(
    @Arg("after", () => BigIntText, { nullable: true }) after: string | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Ctx() { scope }: Context,
  ): Promise<AuditRecord[]> {
    const from = Number(after ?? 0);
    if (!Number.isSafeInteger(from))
      throw new AppError("BAD_INPUT", `after is "${after}", which is no sequence number.`, { field: "after" });
    const { rows } = await scope.app.database.pool.query<AuditRecord>(
      "SELECT e.seq, event_body(e) AS body, e.hash FROM events e WHERE e.seq > $1 ORDER BY e.seq LIMIT $2",
      [from, checkFirst(first)],
    );
    return rows;
  }

  /**
   * Executed once per group of equal subscriptions by `FanOut`, which hands in the page; see `events/fan-out.ts`.
   * `subscribe` here is never reached on our own socket layer.
   */
  @Subscription(() => EventPage, {
    description: "Events as they are committed, in order, without a gap; from now, or after a cursor.",
    subscribe: () => {
      throw new Error("incidentEvents is served by FanOut");
    },
  })
  @Requires("read")
  async incidentEvents(
    @Root() page: EventPage,
    @Arg("filter", () => EventFilter, { nullable: true }) _filter: EventFilter | null,
    @Arg("after", () => Cursor, { nullable: true }) _after: string | null,
  ): Promise<EventPage> {
    return page;
  }
}
