import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { runChaos } from "./run.js";

/** `npm run chaos -- --minutes 30 [--seed N]` */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string" },
    kinds: { type: "string" },
    "every-point": { type: "boolean" },
  },
});
const seed = values.seed === undefined ? randomInt(2 ** 32) : Number(values.seed);
const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopping.abort());
const report = await runChaos({
  signal: stopping.signal,
  seed,
  forMs: Number(values.minutes) * 60_000,
  everyPoint: values["every-point"],
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
