const FIRST_MS = 1000;
const LONGEST_MS = 64_000;

/** Full jitter in a window that doubles from 1 s to 64 s. `failures` counts from 0. */
export const backOffMs = (failures: number, random: () => number): number =>
  random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
