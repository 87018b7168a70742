/**
 * "Something changed, look": a topic, never data. A hint may be lost, doubled or late; whoever listens also polls.
 * Topics: `events` and the type of each, `states` (of probes), `agents`, `probes`, `agent:<id>`, `commands`, `previews`,
 * `output:<id>` (of a command or a run), `access`.
 */
export interface Hints {
  publish(topic: string): void;
  /** Returns the function that stops listening. */
  subscribe(listener: HintListener): () => void;
}

/** @param isOwn whether this process published it */
export type HintListener = (topic: string, isOwn: boolean) => void;

/** Hints within one process: what tests and a single replica need, and the local half of every other bus. */
export function localHints(): Hints & { hear(topic: string): void } {
  const listeners = new Set<HintListener>();
  const tell = (topic: string, isOwn: boolean) => {
    for (const listener of listeners) listener(topic, isOwn);
  };
  return {
    publish: (topic) => tell(topic, true),
    hear: (topic) => tell(topic, false),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
