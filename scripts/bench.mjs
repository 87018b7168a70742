// `npm run bench`: install, build, then the benchmarks in test/bench.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { exitCodeOf, prepare, root, run, say } from "./prepare.mjs";

await prepare();
await installPeers();
await run(process.execPath, [join(root, "test/dist/bench/main.js"), ...process.argv.slice(2)]);

/** A project of its own, so that `npm start` and `npm test` need not install it. Rows without a peer say so. */
async function installPeers() {
  say("installing what the benchmarks compare with");
  const args = [
    "--yes",
    "pnpm@10",
    "install",
    "--ignore-workspace",
    "--frozen-lockfile",
    "--prefer-offline",
    "--silent",
  ];
  const code = await exitCodeOf(spawn("npx", args, { cwd: join(root, "test/bench/peers"), stdio: "inherit" }));
  if (code !== 0) say("it cannot be installed; its figures will be missing");
}
