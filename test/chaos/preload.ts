import { existsSync, readFileSync, rmSync } from "node:fs";
import { register } from "node:module";
import { join } from "node:path";
import { type AtPoint, CRASH_POINTS, editOf, fileOf } from "./crash-points.js";
import { PLANTED_BUGS, type PlantedBug } from "./planted-bugs.js";

/**
 * Loaded before a server or an agent (`node --import`), this makes its crash points work and plants the bugs it is told
 * to: nothing of it is in the product. A point is armed by a file in POPPO_CHAOS_POINTS; who reaches it takes the file
 * away and is gone, or stands still.
 */
const { POPPO_CHAOS_POINTS: folder = "", POPPO_CHAOS_BUGS: bugs = "[]" } = process.env;

Object.assign(globalThis, {
  crashPointReached(name: string) {
    const armed = join(folder, fileOf(name));
    if (!existsSync(armed)) return;
    const signal = readFileSync(armed, "utf8") as AtPoint;
    rmSync(armed, { force: true });
    process.kill(process.pid, signal);
  },
});

register("./rewrite-hooks.js", {
  parentURL: import.meta.url,
  data: [...CRASH_POINTS.map(editOf), ...(JSON.parse(bugs) as PlantedBug[]).map((bug) => PLANTED_BUGS[bug])],
});
