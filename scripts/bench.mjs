// `npm run bench`: install, build, then the benchmarks in test/bench.
import { join } from "node:path";
import { prepare, root, run } from "./prepare.mjs";

await prepare();
await run(process.execPath, [join(root, "test/dist/bench/main.js"), ...process.argv.slice(2)]);
