/**
 * What our own remediations did, so that the probe does not call a repair a restart loop or an ordered stop an outage.
 * Kept in memory, by container id: after a restart of the agent the engine's word alone counts again.
 */
export interface OwnActs {
  /** We started the run of the container that began at `startedAt`. */
  started(id: string, startedAt: string): void;
  /** We ended the run of the container that began at `startedAt`. */
  stopped(id: string, startedAt: string): void;
  hasStarted(id: string, startedAt: string): boolean;
  hasStopped(id: string, startedAt: string): boolean;
  /** Runs `act` unless another act on the same container is under way. */
  exclusively<Result>(id: string, act: () => Promise<Result>): Promise<Result>;
}

const REMEMBERED = 1_000;

export function ownActs(): OwnActs {
  const starts = boundedSet();
  const stops = boundedSet();
  const underWay = new Set<string>();
  return {
    started: (id, startedAt) => starts.add(`${id} ${startedAt}`),
    stopped: (id, startedAt) => stops.add(`${id} ${startedAt}`),
    hasStarted: (id, startedAt) => starts.has(`${id} ${startedAt}`),
    hasStopped: (id, startedAt) => stops.has(`${id} ${startedAt}`),
    async exclusively(id, act) {
      if (underWay.has(id))
        throw new Error(`another act on container ${id.slice(0, 12)} is under way; wait for its end`);
      underWay.add(id);
      try {
        return await act();
      } finally {
        underWay.delete(id);
      }
    },
  };
}

function boundedSet(): { add(key: string): void; has(key: string): boolean } {
  const keys = new Set<string>();
  return {
    has: (key) => keys.has(key),
    add(key) {
      keys.add(key);
      if (keys.size > REMEMBERED) keys.delete(keys.values().next().value as string);
    },
  };
}
