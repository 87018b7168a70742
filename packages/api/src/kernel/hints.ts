/**
 * "Something changed, look": a topic, never data. A hint may be lost, doubled or late; whoever listens also polls.
 * Topics: `events`, `states` (of probes), `agents`, `probes`, `agent:<id>`, `commands`, `previews`, `output:<id>` (of a
 * command or a run), `access`.
 */
export interface Hints {
  publish(topic: string): void;
  /** Returns the function that stops listening. */
  subscribe(listener: (topic: string) => void): () => void;
}

/** Hints within one process: what tests and a single replica need, and the local half of every other bus. */
export function localHints(): Hints {
  const listeners = new Set<(topic: string) => void>();
  return {
    publish: (topic) => {
      for (const listener of listeners) listener(topic);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
