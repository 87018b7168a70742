import { setTimeout } from "node:timers/promises";
import type { ProbeContext } from "../contract.js";

interface Sample<Counters> {
  at: number;
  counters: Counters;
}

export interface Delta<Counters> {
  before: Counters;
  after: Counters;
  seconds: number;
}

const MEMORY_KEY = "counters";
const SHORT_SAMPLE_MS = 200;

/**
 * Counters now and at the last run. Where the last run's cannot be compared (there was none, the counters were reset)
 * two samples are taken a moment apart, so a reset is nothing but another first run.
 * Undefined when not even those can be compared.
 */
export async function twoSamples<Counters>(
  read: () => Promise<Counters>,
  isComparable: (before: Counters, after: Counters) => boolean,
  { memory, monotonic, signal }: ProbeContext,
): Promise<Delta<Counters> | undefined> {
  const take = async (): Promise<Sample<Counters>> => ({ counters: await read(), at: monotonic() });
  const delta = (before: Sample<Counters> | undefined, after: Sample<Counters>) =>
    before && after.at > before.at && isComparable(before.counters, after.counters)
      ? { before: before.counters, after: after.counters, seconds: (after.at - before.at) / 1000 }
      : undefined;

  const first = await take();
  const last = memory.get(MEMORY_KEY) as Sample<Counters> | undefined;
  memory.set(MEMORY_KEY, first);
  const sinceLastRun = delta(last, first);
  if (sinceLastRun) return sinceLastRun;

  await setTimeout(SHORT_SAMPLE_MS, undefined, { signal });
  const second = await take();
  memory.set(MEMORY_KEY, second);
  return delta(first, second);
}
