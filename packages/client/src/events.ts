import { isAfter } from "./cursor.js";
import { feed } from "./feed.js";
import {
  type EventFieldsFragment,
  type EventFilter,
  IncidentEventsDocument,
  type IncidentEventsSubscription,
  type IncidentEventsSubscriptionVariables,
} from "./generated/graphql.js";
import type { Socket } from "./socket.js";

/** One thing that happened, with its place in the log. */
export type Event = EventFieldsFragment;

export interface EventsOptions {
  /** Every condition given must hold. */
  filter?: EventFilter;
  /** A cursor: begin after it. Absent: from now. */
  after?: string;
  /** Ends the loop, as `break` does. */
  signal?: AbortSignal;
  /** Given: is told of a gap, and the loop goes on with the oldest event there is. Absent: the loop throws `EventGapError`. */
  onGap?: (gap: EventGapError) => void;
}

/** The server cannot give every event after the cursor (after a restore, for example): read the state anew. */
export class EventGapError extends Error {
  override name = "EventGapError";
  constructor(
    readonly reason: string,
    /** Where the log can be read from. */
    readonly oldestCursor: string,
    /** Where this loop stood. */
    readonly lastCursor: string | undefined,
  ) {
    super(
      `Events are missing after ${lastCursor ?? "the start"} (${reason}): read a snapshot, then follow after the cursor of its first page`,
    );
  }
}

/** Every event once, in order, without a hole, over as many connections as it takes. */
export function events(
  socket: Pick<Socket, "subscribe">,
  random: () => number,
  { filter, after, signal, onGap }: EventsOptions = {},
): AsyncIterable<Event> {
  return feed<IncidentEventsSubscription, IncidentEventsSubscriptionVariables, Event>({
    socket,
    document: IncidentEventsDocument,
    signal,
    random,
    begin() {
      const variables: IncidentEventsSubscriptionVariables = { filter, after };
      return {
        variables,
        accept({ incidentEvents: page }) {
          const last = variables.after ?? undefined;
          if (page.gap) {
            const gap = new EventGapError(page.gap.reason, page.gap.oldestCursor, last);
            if (!onGap) return { items: [], end: gap };
            onGap(gap);
            variables.after = page.gap.oldestCursor;
            return { items: [], restart: true };
          }
          const items = page.events.filter((event) => isAfter(event.cursor, last));
          if (isAfter(page.cursor, last)) variables.after = page.cursor;
          return { items };
        },
      };
    },
  });
}
