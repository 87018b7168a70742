// `npm run chaos -- --minutes 30 [--seed N]`: install, build, then the run in test/chaos.
import { join } from "node:path";
import { prepare, root, run } from "./prepare.mjs";

await prepare();
await run(process.execPath, [join(root, "test/dist/chaos/main.js"), ...process.argv.slice(2)]);
