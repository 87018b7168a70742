import type { OwnActs } from "./acts.js";
import type { Inspected } from "./engine.js";

/** Plain JSON, kept between two runs of the probe. */
export interface RestartHistory {
  id: string;
  restartCount: number;
  startedAt: string;
  /** When restarts were noticed, one entry each. */
  noticed: number[];
}

/** Never more than could matter: the schema's limit for `restarts` is far below. */
const MAX_NOTICED = 1_000;

/**
 * Adds what happened since the last run. The engine's own restarts raise RestartCount; anybody else's only move
 * StartedAt. Ours are known by the start time they led to, and not counted. A new id is a new container, not a restart.
 */
export function noteRestarts(
  last: RestartHistory | undefined,
  { Id, RestartCount, State }: Inspected,
  acts: OwnActs,
  { at, windowMs }: { at: number; windowMs: number },
): RestartHistory {
  const before = last?.id === Id ? last : { restartCount: RestartCount, startedAt: State.StartedAt, noticed: [] };
  const byEngine = Math.max(0, RestartCount - before.restartCount);
  const wasMoved = State.StartedAt !== before.startedAt && !acts.hasStarted(Id, State.StartedAt);
  const times = byEngine > 0 ? byEngine : wasMoved ? 1 : 0;
  const noticed = [...before.noticed, ...new Array<number>(Math.min(times, MAX_NOTICED)).fill(at)];
  return {
    id: Id,
    restartCount: RestartCount,
    startedAt: State.StartedAt,
    noticed: noticed.filter((when) => when > at - windowMs).slice(-MAX_NOTICED),
  };
}
