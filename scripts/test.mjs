// `npm test`: install, build, lint, and every test. The last line is `N passed, N failed`.
import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitCodeOf, prepare, root, run, say } from "./prepare.mjs";

const only = process.argv.slice(2);
await prepare();
if (only.length === 0) {
  say("checking format and lint");
  await run(process.execPath, [join(root, "node_modules/@biomejs/biome/bin/biome"), "check", "."]);
}
say("testing");
const report = join(tmpdir(), `poppo-test-report-${process.pid}.json`);
const vitest = spawn(
  process.execPath,
  [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...only,
  ],
  { cwd: root, stdio: "inherit" },
);
const code = await exitCodeOf(vitest);
const summary = await readFile(report, "utf8").then(JSON.parse, () => undefined);
await rm(report, { force: true });
const passed = summary?.numPassedTests ?? 0;
// A file that cannot be loaded, and an error outside of every test, fail the run although no single test did.
const failed = Math.max(summary?.numFailedTests ?? 1, summary?.success === false || code !== 0 ? 1 : 0);
const skipped = summary?.numPendingTests ?? 0;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 ? 1 : 0);
