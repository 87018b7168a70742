import { type Engine, EngineError } from "./engine.js";

/** When a process was killed because memory ran out, by container id; in ms since 1970, by the engine's clock. */
export type OomKills = ReadonlyMap<string, readonly number[]>;

/**
 * The kills within `windowMs` before `at`. A container that the engine has started again says nothing of them itself, nor
 * does one whose first process survived. One request for all containers.
 */
export async function oomKills(
  engine: Engine,
  { at, windowMs }: { at: number; windowMs: number },
  signal: AbortSignal,
): Promise<OomKills> {
  const kills = new Map<string, number[]>();
  if (Number.isNaN(at)) return kills;
  try {
    for (const { Actor, timeNano } of await engine.oomEvents(at - windowMs, at, signal))
      kills.set(Actor.ID, [...(kills.get(Actor.ID) ?? []), timeNano / 1e6]);
  } catch (error) {
    // A proxy in front of the socket may allow containers and no events.
    if (!(error instanceof EngineError)) throw error;
  }
  return kills;
}
