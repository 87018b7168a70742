import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";

const LIBRARIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"].map(
  (folder) => `${folder}/faketime/libfaketime.so.1`,
);
const library = LIBRARIES.find((path) => existsSync(path));

/** Whether libfaketime is installed, without which the clocks stay right. */
export const canShiftClocks = library !== undefined;

/** The environment of a process whose wall clock follows the file `clock` while it runs. What it measures with stays true. */
export async function clockEnvironment(clock: string): Promise<Record<string, string>> {
  if (!library) return {};
  await shiftClock(clock, 0);
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_CACHE_DURATION: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    NO_FAKE_STAT: "1",
  };
}

/** From now on the clock that follows the file is `seconds` ahead. */
export const shiftClock = (clock: string, seconds: number): Promise<void> =>
  writeFile(clock, `${seconds < 0 ? "" : "+"}${seconds}s\n`);
