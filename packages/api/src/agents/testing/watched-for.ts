import { systemClock } from "../../kernel/clock.js";
import { Watch } from "../watch.js";

const WRITTEN_EVERY_MS = 5000;

/** The watch of a replica that has written down signs of life for so long, and then was frozen for so long. */
export function watchedFor(watchedMs: number, frozenMs = 0): Watch {
  let now = 0;
  const watch = new Watch({ ...systemClock, monotonic: () => now });
  for (; now < watchedMs; now += WRITTEN_EVERY_MS) watch.wrote();
  now = watchedMs;
  watch.wrote();
  now += frozenMs;
  return watch;
}
