// Makes a fresh clone ready: installs and builds what is missing, and says so. Needs nothing but Node.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = join(root, "node_modules", ".poppo-installed");

/** Installs with the lockfile when it changed since the last time, and builds what is out of date. */
export async function prepare() {
  checkNode();
  const wanted = await fingerprint("pnpm-lock.yaml", "pnpm-workspace.yaml");
  if ((await readFile(stamp, "utf8").catch(() => "")) !== wanted) {
    say("installing the dependencies of the lockfile (the first time takes a minute)");
    await run("npx", ["--yes", "pnpm@10", "install", "--frozen-lockfile", "--prefer-offline"]);
    await writeFile(stamp, wanted);
  }
  say("building what changed");
  await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b"]);
}

export const say = (text) => console.error(`poppo-ops: ${text}`);

/** Runs a program in the checkout with its output shown. Resolves when it succeeded; ends this process when it failed. */
export async function run(command, args, env = process.env) {
  const code = await exitCodeOf(spawn(command, args, { cwd: root, stdio: "inherit", env }));
  if (code === 0) return;
  say(`\`${[command, ...args].join(" ")}\` failed (${code})`);
  process.exit(code);
}

export const exitCodeOf = (child) =>
  new Promise((resolve) => {
    child.once("error", (error) => {
      say(error.message);
      resolve(127);
    });
    child.once("exit", (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  say(`Node ${process.versions.node} is too old; Poppo Ops needs Node 20.19 or newer`);
  process.exit(1);
}

async function fingerprint(...files) {
  const hash = createHash("sha256").update(process.version);
  for (const file of files) hash.update(await readFile(join(root, file)));
  return hash.digest("hex");
}
