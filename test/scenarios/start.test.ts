import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const cli = fileURLToPath(new URL("../../packages/client/bin/poppo-ops.js", import.meta.url));
let home: string;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "poppo-start-"));
});
afterEach(async () => {
  for (const child of running) await interrupt(child);
  await rm(home, { recursive: true, force: true });
});

function poppo(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...process.env, POPPO_DATA_DIR: home, POPPO_PORT: "0", NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    said.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said.stderr += chunk;
  });
  const ended = once(child, "exit").then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return { child, said, ended };
}

async function interrupt(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGINT");
  await gone;
}

const urlIn = (text: string) => /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];

test("`up` starts everything, watches this host, stops cleanly, and goes on where it was", async () => {
  const first = poppo(["up"]);
  await expect.poll(() => first.said.stdout, { timeout: 30_000 }).toMatch(/poppo_api_/);
  const url = urlIn(first.said.stdout)!;
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect((await stat(join(home, "credentials.json"))).mode & 0o777).toBe(0o600);

  const listed = async () => {
    const states = poppo(["probes", "list", "--json"], { POPPO_URL: url });
    expect(await states.ended, states.said.stderr).toBe(0);
    return states.said.stdout;
  };
  await expect.poll(listed, { timeout: 30_000, interval: 500 }).toContain("system.cpu");
  const status = poppo(["status", "--json"], { POPPO_URL: url });
  expect(await status.ended, status.said.stderr).toBe(0);
  expect(JSON.parse(status.said.stdout)).toBeTypeOf("object");

  first.child.kill("SIGINT");
  expect(await first.ended, first.said.stderr).toBe(0);
  expect(first.said.stderr).toBe("");

  const second = poppo(["up"]);
  await expect.poll(() => urlIn(second.said.stdout), { timeout: 30_000 }).toBeDefined();
  // The token of the first start is in the credentials file now, and is not shown again.
  const { token } = JSON.parse(await readFile(join(home, "credentials.json"), "utf8"));
  expect(second.said.stdout).not.toContain(token);
  const agents = poppo(["agents", "list", "--json"], { POPPO_URL: urlIn(second.said.stdout)! });
  expect(await agents.ended, agents.said.stderr).toBe(0);
  second.child.kill("SIGINT");
  expect(await second.ended).toBe(0);
}, 120_000);

test("a port that is taken is said in one line, with what to do", async () => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await once(squatter, "listening");
  const { port } = squatter.address() as { port: number };
  const up = poppo(["up"], { POPPO_PORT: String(port) });
  expect(await up.ended).toBe(1);
  expect(up.said.stderr).toMatch(new RegExp(`Port ${port}.* is taken.*POPPO_PORT`));
  squatter.close();
}, 60_000);

test.each([
  ["a wrong value", { POPPO_LOG_LEVEL: "loud" }, 2, /POPPO_LOG_LEVEL is "loud"; allowed: .*info/],
  [
    "a data folder that is a file",
    { POPPO_DATA_DIR: cli },
    2,
    /poppo-ops.js cannot be made: .*Set POPPO_DATA_DIR to another place/,
  ],
  [
    "a database that is not there",
    { DATABASE_URL: "postgres://a:b@127.0.0.1:1/ops" },
    1,
    /"ops" at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED.*Check DATABASE_URL/,
  ],
])(
  "%s is refused in one line that says what to do",
  async (_what, env, code, message) => {
    const up = poppo(["up"], env as Record<string, string>);
    expect(await up.ended).toBe(code);
    expect(up.said.stderr).toMatch(message);
    expect(up.said.stderr.trimEnd().split("\n")).toHaveLength(1);
  },
  60_000,
);

test("a second server on the same data folder is refused, and the first is not disturbed", async () => {
  const first = poppo(["up", "--no-agent"]);
  await expect.poll(() => urlIn(first.said.stdout), { timeout: 30_000 }).toBeDefined();
  const second = poppo(["up", "--no-agent"]);
  expect(await second.ended).toBe(1);
  expect(second.said.stderr).toContain(home);
  expect((await fetch(`${urlIn(first.said.stdout)}/health`)).status).toBe(200);
}, 90_000);
