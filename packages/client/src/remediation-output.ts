import { feed } from "./feed.js";
import {
  type OutputPageFieldsFragment,
  RemediationOutputDocument,
  type RemediationOutputSubscription,
  type RemediationOutputSubscriptionVariables,
} from "./generated/graphql.js";
import type { Socket } from "./socket.js";

/** A piece of a run's output; `offset` counts the bytes of its stream before it. */
export type OutputChunk = OutputPageFieldsFragment["chunks"][number];

export interface OutputOptions {
  /** The `seq` of a chunk: begin after it. Absent: from the first. */
  after?: number;
  /** Ends the loop, as `break` does. */
  signal?: AbortSignal;
}

/** A run's output from its first chunk to its end, each chunk once, over as many connections as it takes. */
export function remediationOutput(
  socket: Pick<Socket, "subscribe">,
  random: () => number,
  runId: string,
  { after, signal }: OutputOptions = {},
): AsyncIterable<OutputChunk> {
  return feed<RemediationOutputSubscription, RemediationOutputSubscriptionVariables, OutputChunk>({
    socket,
    document: RemediationOutputDocument,
    signal,
    random,
    begin() {
      const variables: RemediationOutputSubscriptionVariables = { runId, after };
      return {
        variables,
        accept({ remediationOutput: page }) {
          const last = variables.after ?? -1;
          const items = page.chunks.filter((chunk) => chunk.seq > last);
          variables.after = items.at(-1)?.seq ?? variables.after;
          return { items, end: page.ended || undefined };
        },
      };
    },
  });
}
