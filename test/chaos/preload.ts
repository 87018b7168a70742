import { existsSync, rmSync } from "node:fs";
import { register } from "node:module";
import { join } from "node:path";
import { CRASH_POINTS, editOf, fileOf } from "./crash-points.js";
import { PLANTED_BUGS, type PlantedBug } from "./planted-bugs.js";

/**
 * Loaded before a server or an agent (`node --import`), this makes its crash points work and plants the bugs it is told
 * to: nothing of it is in the product. A point is armed by a file in POPPO_CHAOS_POINTS; who reaches it takes the file
 * away and is gone.
 */
const { POPPO_CHAOS_POINTS: folder = "", POPPO_CHAOS_BUGS: bugs = "[]" } = process.env;

Object.assign(globalThis, {
  crashPointReached(name: string) {
    const armed = join(folder, fileOf(name));
    if (!existsSync(armed)) return;
    rmSync(armed);
    process.kill(process.pid, "SIGKILL");
  },
});

register("./rewrite-hooks.js", {
  parentURL: import.meta.url,
  data: [...CRASH_POINTS.map(editOf), ...(JSON.parse(bugs) as PlantedBug[]).map((bug) => PLANTED_BUGS[bug])],
});
