import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { faultKinds } from "./faults.js";
import { runChaos } from "./run.js";

/** `npm run chaos [-- --minutes 30] [--seed N] [--every-point] [--kinds "kill -9,cut"]` */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(randomInt(2 ** 32)) },
    "every-point": { type: "boolean", default: false },
    kinds: { type: "string" },
  },
});
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
const kinds = values.kinds?.split(",");
const known = faultKinds({ long: true });
const unknown = kinds?.find((kind) => !known.includes(kind));
if (!(minutes >= 0 && Number.isInteger(seed)) || unknown !== undefined) {
  console.error(`--minutes and --seed are numbers; --kinds has some of ${known.join(", ")}`);
  process.exit(2);
}

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopping.abort());
const { findings, faults, violations } = await runChaos({
  ...{ seed, kinds, forMs: minutes * 60_000, everyPoint: values["every-point"] },
  signal: stopping.signal,
  write: (line) => console.log(line),
});
for (const [name, { verified }] of findings) console.log(`${name}: ${verified}`);
console.log(`faults: ${[...faults].map(([kind, count]) => `${count} × ${kind}`).join(", ")}`);
console.log(`seed ${seed}: ${violations.length === 0 ? "no violation" : `${violations.length} violations`}`);
process.exit(violations.length === 0 ? 0 : 1);
