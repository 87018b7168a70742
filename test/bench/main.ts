import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { startServerProcess } from "../harness/server-process.js";
import { agent } from "./agent.bench.js";
import { fanout } from "./fanout.bench.js";
import { ingest } from "./ingest.bench.js";
import { latency } from "./latency.bench.js";
import { machine, published, type Row } from "./row.js";
import { start } from "./start.bench.js";

/** `npm run bench [-- --quick] [-- names…]`: each row beside its limit, measured in the same run. */
const BENCHES = { start: async () => start(), ingest, fanout, latency, agent };

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const chosen = args.filter((arg) => !arg.startsWith("--"));
const unknown = chosen.find((name) => !(name in BENCHES));
if (unknown) {
  console.error(`there is no benchmark "${unknown}"; there are ${Object.keys(BENCHES).join(", ")}`);
  process.exit(2);
}

const rows: Row[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.error(`measuring ${name} …`);
  await using server = await startServerProcess();
  rows.push(...(await bench(server, quick)));
}
const results = published(rows, new Date().toISOString());
console.table(
  Object.fromEntries(
    results.map(({ id, value, unit, limit, ratioToLimit }) => [id, { value, unit, limit, ratio: ratioToLimit }]),
  ),
);
console.log(machine);
const latest = fileURLToPath(new URL("../../bench/results/latest.json", import.meta.url));
if (!quick && chosen.length === 0) {
  await mkdir(dirname(latest), { recursive: true });
  await writeFile(latest, `${JSON.stringify(results, null, 2)}\n`);
}
process.exit(0);
