// `npm start`: install, build, then `poppo-ops up`: server, embedded database and an agent that watches this host.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { exitCodeOf, prepare, root } from "./prepare.mjs";

await prepare();
const up = spawn(process.execPath, [join(root, "packages/client/bin/poppo-ops.js"), "up", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
// A terminal sends Ctrl-C to the whole group, `up` included; a service manager signals only this process.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => up.kill("SIGTERM"));
process.exit(await exitCodeOf(up));
