import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Outcome } from "../contract.js";
import { act, runProbe, type TestContext, testContext } from "../testing/context.js";
import { plugin } from "./index.js";

const probe = (config: object, context: TestContext = testContext()): Promise<Outcome[]> =>
  runProbe(plugin, "containers", { stats: false, ...config }, context);

describe("an engine that misbehaves", () => {
  let folder: string;
  let socketPath: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "poppo-docker-"));
    socketPath = join(folder, "docker.sock");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function fakeEngine(answer: RequestListener): Promise<{ close(): Promise<void> }> {
    const server = createServer(answer).listen(socketPath);
    await once(server, "listening");
    const close = async () => {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    };
    onTestFinished(close);
    return { close };
  }
  const config = () => ({ socketPath });

  test("is NOT_APPLICABLE when there is none, UNKNOWN when a container of it is named", async () => {
    expect(await probe(config())).toMatchObject([{ status: "NOT_APPLICABLE" }]);
    expect(await probe({ ...config(), names: ["web"] })).toMatchObject([{ status: "UNKNOWN" }]);
  });

  test("is UNKNOWN when it went away, and the outcome without item is closed when it is back", async () => {
    const context = testContext();
    const list: RequestListener = ({ url }, response) => void response.end(url?.startsWith("/events") ? "" : "[]");
    const up = await fakeEngine(list);
    expect(await probe(config(), context)).toMatchObject([{ status: "NOT_APPLICABLE" }]);
    await up.close();
    const [lost] = await probe(config(), context);
    expect(lost).toMatchObject({ status: "UNKNOWN" });
    expect(lost?.item).toBeUndefined();
    expect(lost?.summary).toContain(socketPath);
    await fakeEngine(list);
    expect(await probe({ ...config(), names: ["web"] }, context)).toMatchObject([
      { status: "OK", summary: "the Docker engine answers" },
      { status: "CRIT", item: "web" },
    ]);
  });

  test.each<[string, RequestListener]>([
    ["answers with an error", (_, response) => void response.writeHead(500).end('{"message":"no"}')],
    ["answers with something else", (_, response) => void response.end("<html>hello</html>")],
    ["breaks off", (_, response) => void response.socket?.destroy()],
    [
      "breaks off in its answer",
      (_, response) => {
        response.writeHead(200, { "content-length": "1000" });
        response.write("[", () => response.socket?.destroy());
      },
    ],
    [
      "floods",
      (_, response) => {
        const flood = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 32)));
        };
        response.on("drain", flood);
        flood();
      },
    ],
  ])("is UNKNOWN when it %s", async (_, answer) => {
    await fakeEngine(answer);
    expect(await probe(config())).toMatchObject([{ status: "UNKNOWN" }]);
  });

  /** Answers of an engine 20.10, by path; what is not there is an error of the engine. */
  const recorded =
    (answers: Record<string, unknown>): RequestListener =>
    ({ url = "" }, response) => {
      const answer = answers[url.split("?")[0] as string];
      if (answer === undefined) response.writeHead(500).end('{"message":"no task of it"}');
      else response.end(JSON.stringify(answer));
    };
  const listed = (...names: string[]) => names.map((name) => ({ Id: name, Names: [`/${name}`], State: "running" }));
  const inspected = (Id: string, hostConfig: object = {}) => ({
    Id,
    Name: `/${Id}`,
    RestartCount: 0,
    State: {
      Status: "running",
      OOMKilled: false,
      Pid: 4910,
      ExitCode: 0,
      Error: "",
      StartedAt: "2026-11-25T09:11:28.756033663Z",
      FinishedAt: "0001-01-01T00:00:00Z",
    },
    Config: { Image: "shop", Tty: false },
    HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 0 }, ...hostConfig },
  });

  test("is UNKNOWN only for the container it cannot inspect; one it cannot measure has no metrics and says so", async () => {
    await fakeEngine(
      recorded({
        "/containers/json": listed("lost", "shop"),
        "/containers/shop/json": inspected("shop"),
      }),
    );
    expect(await probe({ ...config(), stats: true })).toEqual([
      { item: "lost", status: "UNKNOWN", summary: "the engine cannot inspect container lost: no task of it" },
      {
        item: "shop",
        status: "OK",
        summary: "container shop is running; its use cannot be measured: no task of it",
        metrics: { restarts: [0, "1"] },
      },
    ]);
  });

  test.each([
    ["of all cores without a limit", {}, 12.5],
    ["of the cores it is pinned to", { CpusetCpus: "7" }, 100],
    ["of a list of cores", { CpusetCpus: "0-2,7" }, 25],
    ["of its quota", { NanoCpus: 5e8 }, 200],
    ["of its cores, when its quota is higher", { NanoCpus: 4e9, CpusetCpus: "0,1" }, 50],
  ])("has its CPU measured in %% %s, whatever its clock does", async (_, hostConfig, percent) => {
    const stats = (read: string, systemSeconds: number, cpuSeconds: number) => ({
      read,
      cpu_stats: {
        cpu_usage: { total_usage: cpuSeconds * 1e9 },
        system_cpu_usage: systemSeconds * 1e9,
        online_cpus: 8,
      },
      memory_stats: { usage: 2 ** 20 },
      networks: { eth0: { rx_bytes: cpuSeconds * 1000, tx_bytes: 0 } },
    });
    const answers: Record<string, unknown> = {
      "/containers/json": listed("shop"),
      "/containers/shop/json": inspected("shop", hostConfig),
      "/containers/shop/stats": stats("2026-11-25T09:11:29Z", 80_000, 5),
    };
    await fakeEngine(recorded(answers));
    const context = testContext();
    await probe({ ...config(), stats: true }, context);
    // Ten seconds of eight cores later, by a clock that was set back by nine.
    answers["/containers/shop/stats"] = stats("2026-11-25T09:11:30Z", 80_080, 15);
    const [outcome] = await probe({ ...config(), stats: true }, context);
    expect(outcome?.metrics).toMatchObject({ cpu: [percent, "%"], rx: [1000, "B/s"] });
  });

  test("fails the whole probe when it goes away between two answers", async () => {
    const answer = recorded({ "/containers/json": listed("shop", "blog") });
    await fakeEngine((request, response) =>
      request.url?.startsWith("/containers/json") ? answer(request, response) : void response.socket?.destroy(),
    );
    await expect(probe(config())).rejects.toThrow(`the Docker engine at ${socketPath} does not answer`);
  });

  test("ends the probe with the signal's reason when it never answers", async () => {
    let asked: () => void;
    const wasAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    await fakeEngine(() => asked());
    const controller = new AbortController();
    const running = probe(config(), testContext({ signal: controller.signal }));
    await wasAsked;
    controller.abort(new Error("timed out"));
    await expect(running).rejects.toThrow("timed out");
  });

  test("cannot be previewed when it is not there, and the remediation fails with the reason", async () => {
    const restart = act(plugin, "restart", { container: "web", socketPath });
    expect(await restart.preview()).toMatchObject({ possible: false, reason: expect.stringContaining("ENOENT") });
    await expect(restart.run()).rejects.toThrow(socketPath);
  });
});
