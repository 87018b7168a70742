import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestServer, testServer } from "../../packages/api/src/http/testing/test-server.js";

const isInstalled = (() => {
  try {
    return execFileSync("prometheus", ["--version"], { stdio: "pipe" }).length >= 0;
  } catch {
    return false;
  }
})();
if (!isInstalled && process.env.CI) throw new Error("CI must have prometheus");
if (!isInstalled) console.warn("no test with a real Prometheus: it is not installed");

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

describe.skipIf(!isInstalled)("a real Prometheus", () => {
  let server: TestServer;
  let home: string;
  let prometheus: ChildProcess;
  let api: string;

  beforeAll(async () => {
    server = await testServer();
    home = await mkdtemp(join(tmpdir(), "poppo-prometheus-"));
    const target = new URL(server.url).host;
    const config = {
      scrape_configs: [{ job_name: "poppo-ops", scrape_interval: "1s", static_configs: [{ targets: [target] }] }],
    };
    // JSON is YAML.
    await writeFile(join(home, "prometheus.yml"), JSON.stringify(config));
    const listen = `127.0.0.1:${await freePort()}`;
    api = `http://${listen}/api/v1`;
    prometheus = spawn(
      "prometheus",
      [`--config.file=${home}/prometheus.yml`, `--storage.tsdb.path=${home}/data`, `--web.listen-address=${listen}`],
      { stdio: "ignore" },
    );
  });
  afterAll(async () => {
    if (prometheus.exitCode === null && prometheus.kill()) await once(prometheus, "exit");
    await rm(home, { recursive: true, force: true });
    await server[Symbol.asyncDispose]();
  });

  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it has asked for
  const ask = async (path: string): Promise<any> => {
    const answer = await fetch(api + path).catch(() => null);
    return answer?.ok ? ((await answer.json()) as { data: unknown }).data : null;
  };

  test("takes every line of a scrape", async () => {
    const target = async () => (await ask("/targets"))?.activeTargets[0];
    await expect.poll(target, { timeout: 20_000 }).toMatchObject({ health: "up", lastError: "" });
  });

  test("knows what kind each metric is, and its values", async () => {
    const metadata = async (name: string) => (await ask(`/metadata?metric=${name}`))?.[name]?.[0].type;
    // OpenMetrics is what it asks for first, and there a counter's family has no suffix.
    await expect.poll(() => metadata("poppo_events_appended"), { timeout: 20_000 }).toBe("counter");
    expect(await metadata("poppo_engine_step_duration_seconds")).toBe("histogram");
    expect(await metadata("poppo_incidents_open")).toBe("gauge");
    const value = async (query: string) =>
      (await ask(`/query?query=${encodeURIComponent(query)}`))?.result[0]?.value[1];
    await expect.poll(() => value('poppo_events_appended_total{type="token.created"}')).toBe("1");
    await expect.poll(() => value("sum(poppo_incidents_open)")).toBe("0");
  });
});
