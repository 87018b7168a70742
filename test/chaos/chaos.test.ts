import { expect, test } from "vitest";
import { runChaos } from "./run.js";
import { canShiftClocks } from "./shifted-clock.js";

/** A long run is `npm run chaos -- --minutes 30`. */
test.skipIf(process.platform !== "linux")(
  "processes end at every crash point, and everything breaks at random: nothing that is promised is lost",
  async () => {
    if (!canShiftClocks) console.warn("faketime is not installed: clocks stay right (scripts/system-packages.sh)");
    expect(canShiftClocks || !process.env.CI).toBe(true);
    const story: string[] = [];
    const { violations } = await runChaos({
      seed: 1,
      everyPoint: true,
      forMs: 20_000,
      size: { hosts: 2, crowd: 8, subscribers: 3, stormSize: 50 },
      write: (line) => story.push(line),
    });
    expect(violations, story.join("\n")).toEqual([]);
  },
  900_000,
);
