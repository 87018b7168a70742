import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PROGRAM = "prometheus-alertmanager";

/** Whether the Debian package is installed; in CI it must be. */
export function hasAlertmanager(): boolean {
  const isInstalled = [PROGRAM, "amtool"].every((program) => !spawnSync(program, ["--version"]).error);
  if (!isInstalled && process.env.CI)
    throw new Error(`CI must have ${PROGRAM}; scripts/system-packages.sh installs it`);
  if (!isInstalled) console.warn(`no tests with a real Alertmanager: ${PROGRAM} is not installed`);
  return isInstalled;
}

/** The configuration that docs/integrations/alertmanager.md shows. */
export async function documentedConfig(): Promise<string> {
  const page = await readFile(new URL("../../docs/integrations/alertmanager.md", import.meta.url), "utf8");
  const [, yaml] = /<!-- test: alertmanager.yml -->\n```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  if (!yaml) throw new Error("docs/integrations/alertmanager.md shows no alertmanager.yml");
  return yaml;
}

export interface PostedAlert {
  labels: Record<string, string>;
  annotations?: Record<string, string>;
  startsAt: Date;
  endsAt?: Date;
}

export interface AlertmanagerProcess extends AsyncDisposable {
  url: string;
  /** Gives it alerts, as a Prometheus server does. */
  post(alerts: PostedAlert[]): Promise<void>;
  /** How many requests to webhooks have failed. */
  failedRequests(): Promise<number>;
}

/** A real Alertmanager with a storage and a port of its own, and no cluster. @throws when it is not ready within 10 s */
export async function startAlertmanager(config: string): Promise<AlertmanagerProcess> {
  const home = await mkdtemp(join(tmpdir(), "poppo-alertmanager-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await writeFile(join(home, "alertmanager.yml"), config);
  const child = spawn(
    PROGRAM,
    [
      `--config.file=${join(home, "alertmanager.yml")}`,
      `--storage.path=${join(home, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--cluster.listen-address=",
      "--log.level=error",
    ],
    { stdio: ["ignore", "ignore", "ignore"] },
  );
  await ready(url);
  return {
    url,
    async post(alerts) {
      const body = JSON.stringify(alerts);
      const headers = { "content-type": "application/json" };
      const { status } = await fetch(`${url}/api/v2/alerts`, { method: "POST", headers, body });
      if (status !== 200) throw new Error(`Alertmanager answered ${status}`);
    },
    async failedRequests() {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return Number(
        /^alertmanager_notification_requests_failed_total\{integration="webhook"\} (\d+)/m.exec(metrics)?.[1],
      );
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.kill();
      await exited;
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function ready(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(100);
  }
  throw new Error(`${PROGRAM} was not ready within 10 s`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
