import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { runChaos } from "./run.js";

/** `npm run chaos -- --minutes 30 [--seed N]` */
const { values } = parseArgs({
  options: { minutes: { type: "string", default: "5" }, seed: { type: "string" }, kinds: { type: "string" } },
});
const seed = values.seed === undefined ? randomInt(2 ** 32) : Number(values.seed);
const report = await runChaos({
  seed,
  forMs: Number(values.minutes) * 60_000,
  kinds: values.kinds?.split(","),
  write: (line) => console.log(line),
});
for (const [name, { verified }] of report.findings) console.log(`${name}: ${verified}`);
console.log(`faults: ${[...report.faults].map(([kind, count]) => `${count} × ${kind}`).join(", ")}`);
console.log(
  report.violations.length === 0
    ? `seed ${seed}: no violation`
    : `seed ${seed}: ${report.violations.length} violations`,
);
process.exit(report.violations.length === 0 ? 0 : 1);
