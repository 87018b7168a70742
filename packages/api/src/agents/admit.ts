import type { ReceivedBatch, SpoolGap } from "@poppo-ops/plugins/wire";
import { AppError } from "../kernel/app-error.js";
import type { AgentSession } from "./agent-session.js";

/** The high-water mark of an agent: every result up to `acked` of `epoch` is committed, or was given up by the agent. */
export interface Mark {
  epoch: string | null;
  acked: number;
}

export interface Admission {
  /** How many rows at the front are known already. */
  skip: number;
  /** The mark once the batch is committed. */
  mark: { epoch: string; acked: number };
  /** What the agent gave up and had not told yet. */
  gaps: SpoolGap[];
}

/** A batch on its way into the database. */
export interface Incoming {
  session: AgentSession;
  batch: ReceivedBatch;
}

export interface Admitted extends Incoming {
  admission: Admission;
}

/**
 * Decides what of a batch is new. Rows at or below the mark are a replay and change nothing. What lies between the mark
 * and the batch must be explained by gaps.
 *
 * A spool numbers from 1 in each epoch, so the mark of an epoch never seen is 0: the first batch of a new epoch may not
 * begin anywhere else, or a second batch on its way would be taken for the first when the first one is refused, and the
 * first would then be dropped as a replay.
 * @throws {AppError} OUT_OF_ORDER with `expectedSeq`
 */
export function admit(
  mark: Mark,
  { epoch, from, rows, gaps }: Pick<ReceivedBatch, "epoch" | "from" | "rows" | "gaps">,
): Admission {
  const acked = mark.epoch === epoch ? mark.acked : 0;
  const explained = passGaps(acked, gaps);
  if (from > explained + 1)
    throw new AppError(
      "OUT_OF_ORDER",
      `The batch begins at ${from}; ${acked + 1} is next, and its gaps do not explain what lies between.`,
      { expectedSeq: acked + 1 },
    );
  const reached = passGaps(Math.max(explained, from + rows - 1), gaps);
  return {
    skip: Math.min(Math.max(acked + 1 - from, 0), rows),
    mark: { epoch, acked: reached },
    gaps: gaps.filter((gap) => gap.to > acked && gap.from <= reached),
  };
}

/** How far the gaps lead from `acked` on. */
function passGaps(acked: number, gaps: readonly SpoolGap[]): number {
  let reached = acked;
  for (const gap of [...gaps].sort((a, b) => a.from - b.from)) {
    if (gap.from <= reached + 1) reached = Math.max(reached, gap.to);
  }
  return reached;
}
