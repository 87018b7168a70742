import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { CRASH_POINTS, editOf } from "./crash-points.js";
import { PLANTED_BUGS } from "./planted-bugs.js";
import { rewrite } from "./rewrite.js";

const require = createRequire(import.meta.url);
const folders = ["api", "agent"].map((name) =>
  join(dirname(require.resolve(`@poppo-ops/${name}/package.json`)), "dist"),
);
const edits = [...CRASH_POINTS.map(editOf), ...Object.values(PLANTED_BUGS)];

test("every place of a crash point or a planted bug is in the compiled code, once", async () => {
  for (const module of new Set(edits.map((edit) => edit.module))) {
    const file = folders.map((folder) => join(folder, module)).find((path) => existsSync(path));
    if (!file) throw new Error(`there is no compiled ${module}`);
    const source = await readFile(file, "utf8");
    expect(() =>
      rewrite(
        source,
        edits.filter((edit) => edit.module === module),
      ),
    ).not.toThrow();
  }
});
