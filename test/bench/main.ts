import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { argumentsOf, wrongUsage } from "../harness/arguments.js";
import { startServerProcess } from "../harness/server-process.js";
import { BENCHES, type Bench } from "./benches.js";
import { performancePage } from "./performance-page.js";
import { machine, type PublishedRow, publish } from "./row.js";
import { heading, tableLine } from "./table.js";

const LATEST = fileURLToPath(new URL("../../bench/results/latest.json", import.meta.url));
const PAGE = fileURLToPath(new URL("../../../docs/performance.md", import.meta.url));
const ROWS = BENCHES.flatMap(({ ids }) => ids);
const USAGE = `npm run bench -- [--quick] [row …]
Measures each row beside its limit and its peer in the same run, prints them as they come, and keeps them in
test/bench/results/latest.json and docs/performance.md. A row stands for those below it: "query" for "query.p99".
Exit code 0: all were measured; 1: some could not be; 2: wrong usage.

  --quick    each for a shorter time, and nothing is kept
Rows: ${ROWS.join(", ")}`;
const { values, positionals: wanted } = argumentsOf(USAGE, {
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false } },
});
const { quick } = values;

const asksFor = (arg: string, { ids }: Bench) => ids.some((id) => id === arg || id.startsWith(`${arg}.`));
const unknown = wanted.find((arg) => !BENCHES.some((bench) => asksFor(arg, bench)));
if (unknown) wrongUsage(`there is no row "${unknown}"; there are ${ROWS.join(", ")}`);
const chosen = BENCHES.filter((bench) => wanted.length === 0 || wanted.some((arg) => asksFor(arg, bench)));

console.log(`${machine}${quick ? ", quick" : ""}\n${heading()}`);
const rows: PublishedRow[] = [];
let failed = 0;
for (const bench of chosen) {
  try {
    rows.push(...(await measure(bench)));
  } catch (error) {
    failed++;
    console.log(`${bench.ids.join(", ")} failed: ${(error as Error).stack}`);
  }
}
if (!quick) await keep(rows, new Set(chosen.flatMap(({ ids }) => ids)));
process.exit(failed > 0 ? 1 : 0);

async function measure({ ids, run }: Bench): Promise<PublishedRow[]> {
  console.error(`measuring ${ids.join(", ")} …`);
  await using server = await startServerProcess();
  const measured = (await run(server, quick)).map((row) => publish(row, new Date().toISOString()));
  for (const row of measured) console.log(tableLine(row));
  return measured;
}

/** What was measured now takes the place of what was measured before; other rows stay as they are. */
async function keep(measured: PublishedRow[], replaced: Set<string>): Promise<void> {
  const before: PublishedRow[] = JSON.parse(await readFile(LATEST, "utf8").catch(() => "[]"));
  const all = [...before.filter(({ id }) => ROWS.includes(id) && !replaced.has(id)), ...measured];
  all.sort((a, b) => ROWS.indexOf(a.id) - ROWS.indexOf(b.id));
  await mkdir(dirname(LATEST), { recursive: true });
  await writeFile(LATEST, `${JSON.stringify(all, null, 2)}\n`);
  await writeFile(PAGE, performancePage(await readFile(PAGE, "utf8"), all));
}
