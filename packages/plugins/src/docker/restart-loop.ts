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
 * StartedAt. Ours are known by the start time they led to, and not counted: they end what was counted before, so that
 * the repair of a loop can be verified. A new id is a new container, not a restart.
 */
export function noteRestarts(
  last: RestartHistory | undefined,
  { Id, RestartCount, State }: Inspected,
  acts: OwnActs,
  { at, windowMs }: { at: number; windowMs: number },
): RestartHistory {
  const now = { id: Id, restartCount: RestartCount, startedAt: State.StartedAt };
  if (last?.id !== Id || acts.hasStarted(Id, State.StartedAt)) return { ...now, noticed: [] };
  const byEngine = Math.max(0, RestartCount - last.restartCount);
  const times = byEngine > 0 ? byEngine : State.StartedAt !== last.startedAt ? 1 : 0;
  const noticed = [...last.noticed, ...new Array<number>(Math.min(times, MAX_NOTICED)).fill(at)];
  return { ...now, noticed: noticed.filter((when) => when > at - windowMs).slice(-MAX_NOTICED) };
}
