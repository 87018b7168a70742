import { randomInt } from "node:crypto";
import { argumentsOf, wrongUsage } from "../harness/arguments.js";
import { faultKinds } from "./faults.js";
import { runChaos } from "./run.js";

/** Minutes. */
const EVERY_POINT_FROM = 20;
const USAGE = `npm run chaos -- [options]
Breaks servers, agents, database, network and clock at random, and checks that nothing promised is lost.
Exit code 0: no violation; 1: violations, each is printed; 2: wrong usage.

  --minutes N      how long it breaks things (5); checking afterwards comes on top
  --seed N         plans the same faults again
  --every-point    ends a process once at every crash point first; from 20 minutes on it always does
  --kinds "a,b"    only these faults
Faults: ${faultKinds({ long: true }).join(", ")}`;
const { values } = argumentsOf(USAGE, {
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
if (!(minutes >= 0 && Number.isInteger(seed)) || unknown !== undefined)
  wrongUsage(`--minutes and --seed are numbers; --kinds has some of ${known.join(", ")}`);

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopping.abort());
const { findings, faults, mischief, violations } = await runChaos({
  ...{ seed, kinds, forMs: minutes * 60_000, everyPoint: values["every-point"] || minutes >= EVERY_POINT_FROM },
  signal: stopping.signal,
  write: (line) => console.log(line),
});
for (const [name, { verified }] of findings) console.log(`${name}: ${verified}`);
console.log(`faults: ${[...faults].map(([kind, count]) => `${count} × ${kind}`).join(", ")}`);
console.log(`messages: ${mischief}`);
console.log(`seed ${seed}: ${violations.length === 0 ? "no violation" : `${violations.length} violations`}`);
process.exit(violations.length === 0 ? 0 : 1);
