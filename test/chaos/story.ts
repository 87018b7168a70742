/** What happens in a run, told as it happens: one line each, with the seconds since the beginning. */
export interface Story {
  tell(line: string): void;
  /** How often each kind of fault happened. */
  count(kind: string): void;
  readonly counts: ReadonlyMap<string, number>;
  seconds(): number;
}

export function createStory(write: (line: string) => void): Story {
  const began = performance.now();
  const counts = new Map<string, number>();
  const seconds = () => (performance.now() - began) / 1000;
  return {
    counts,
    seconds,
    tell: (line) => write(`${seconds().toFixed(1).padStart(7)} s  ${line}`),
    count: (kind) => counts.set(kind, (counts.get(kind) ?? 0) + 1),
  };
}
