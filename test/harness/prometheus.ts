import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Whether Prometheus and its promtool are installed.
 * @throws where `CI` is set and they are not: there the tests must run
 */
export async function hasPrometheus(): Promise<boolean> {
  try {
    await Promise.all(["prometheus", "promtool"].map((program) => run(program, ["--version"])));
    return true;
  } catch (error) {
    const reason = "no tests with Prometheus: prometheus and promtool (package prometheus) are not installed";
    if (process.env.CI) throw new Error(reason, { cause: error });
    console.warn(reason);
    return false;
  }
}

/** What `promtool check metrics` complains about; empty when it is content. */
export async function complaintsOf(text: string): Promise<string> {
  const checking = run("promtool", ["check", "metrics"]);
  checking.child.stdin!.end(text);
  const { stdout, stderr } = await checking.catch((failure: { stdout: string; stderr: string }) => failure);
  return stdout + stderr;
}

export interface Prometheus extends AsyncDisposable {
  /** The data of an answer of its HTTP API, or null while it does not answer. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it has asked for
  ask(path: string): Promise<any>;
}

/** A real Prometheus that scrapes one target every second. */
export async function startPrometheus(target: string): Promise<Prometheus> {
  const home = await mkdtemp(join(tmpdir(), "poppo-prometheus-"));
  const scrape = { job_name: "poppo-ops", scrape_interval: "1s", static_configs: [{ targets: [target] }] };
  const config = join(home, "prometheus.yml");
  // JSON is YAML.
  await writeFile(config, JSON.stringify({ scrape_configs: [scrape] }));
  const listen = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    "prometheus",
    [`--config.file=${config}`, `--storage.tsdb.path=${join(home, "data")}`, `--web.listen-address=${listen}`],
    { stdio: "ignore" },
  );
  const exited = once(child, "exit");
  return {
    async ask(path) {
      const answer = await fetch(`http://${listen}/api/v1${path}`).catch(() => null);
      return answer?.ok ? ((await answer.json()) as { data: unknown }).data : null;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
