import type { Severity } from "./vocabulary.js";

/** An event as it was committed. */
export interface AppendedEvent {
  seq: number;
  type: string;
  at: Date;
  actor: string;
  incidentId: string | null;
  serviceId: string | null;
  severity: Severity | null;
  summary: string;
  payload: Record<string, unknown>;
}

/** What this process committed itself: whoever follows the log here need not read it again. */
export interface Appended {
  publish(events: AppendedEvent[]): void;
  /** Returns the function that stops listening. */
  subscribe(listener: (events: AppendedEvent[]) => void): () => void;
}

export function appendedEvents(): Appended {
  const listeners = new Set<(events: AppendedEvent[]) => void>();
  return {
    publish: (events) => {
      for (const listener of listeners) listener(events);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
