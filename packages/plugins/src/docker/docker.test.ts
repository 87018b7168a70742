import type Docker from "dockerode";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Outcome } from "../contract.js";
import { act, runProbe, type TestContext, testContext } from "../testing/context.js";
import { plugin } from "./index.js";
import { busyboxImage, engineOrReason, removeContainer, startContainer, type TestContainer } from "./testing/engine.js";

const engine = await engineOrReason();
const docker = engine as Docker;

const probe = (config: object, context: TestContext = testContext()): Promise<Outcome[]> =>
  runProbe(plugin, "containers", { stats: false, ...config }, context);

async function only(name: string, config: object = {}, context?: TestContext): Promise<Outcome> {
  const outcomes = await probe({ names: [name], ...config }, context);
  return outcomes.find(({ item }) => item === name) as Outcome;
}

describe.skipIf(typeof engine === "string")("docker.containers", () => {
  const started: TestContainer[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map(removeContainer));
  });
  async function run(script: string, options?: Docker.ContainerCreateOptions): Promise<TestContainer> {
    const container = await startContainer(docker, script, options);
    started.push(container);
    return container;
  }
  const ended = ({ container }: TestContainer) => container.wait();

  test("a container that runs is OK; with two runs its use is measured against its limits", async () => {
    const { name } = await run("while :; do :; done", { HostConfig: { Memory: 64 * 2 ** 20, NanoCpus: 2e8 } });
    const context = testContext();
    const first = await only(name, { stats: true }, context);
    expect(first.metrics).toMatchObject({ memory: [expect.any(Number), "%"], pids: [1, "1"], restarts: [0, "1"] });
    expect(first.metrics).not.toHaveProperty("cpu");
    await vi.waitFor(async () => {
      const { status, metrics, summary } = await only(
        name,
        { stats: true, cpuPercent: { warn: 10, crit: 20 } },
        context,
      );
      expect(metrics).toMatchObject({ cpu: [expect.any(Number), "%"], rx: [expect.any(Number), "B/s"] });
      expect(status, summary).toBe("CRIT");
      expect(summary).toMatch(/CPU [\d.]+ % of its limit/);
    }, 10_000);
  });

  test("a container whose process was killed is CRIT, with exit code and last log lines, without their secrets", async () => {
    const container = await run("seq 1 50; echo password=hunter2; echo boom; exec sleep 1000");
    const written = () => container.container.logs({ stdout: true, stderr: true });
    await expect
      .poll(async () => String(await written()), { timeout: 10_000 })
      .toMatch(/hunter2[\s\S]*boom|boom[\s\S]*hunter2/);
    await container.container.kill({ signal: "SIGKILL" });
    await ended(container);
    const outcome = await only(container.name, { logLines: 3 });
    expect(outcome).toMatchObject({
      status: "CRIT",
      evidence: { exitCode: 137, oomKilled: false, image: "poppo-test/busybox:latest" },
    });
    expect(outcome.summary).toContain("exited with code 137 (signal 9)");
    const logs = outcome.evidence?.logs as string[];
    expect(logs).toHaveLength(3);
    expect(logs).toEqual(expect.arrayContaining(["boom", "password=[redacted]"]));
  });

  test("a container that crashes at once, with a terminal and binary output, is CRIT with readable logs", async () => {
    const container = await run("printf 'a\\000b\\n'; exit 3", { Tty: true });
    await ended(container);
    expect(await only(container.name)).toMatchObject({ status: "CRIT", evidence: { exitCode: 3, logs: ["ab"] } });
  });

  test("a container that ran out of memory says so", async () => {
    const container = await run("dd if=/dev/zero of=/dev/null bs=200M count=1; exit 9", {
      HostConfig: { Memory: 16 * 2 ** 20, MemorySwap: 16 * 2 ** 20 },
    });
    await ended(container);
    const outcome = await only(container.name);
    expect(outcome).toMatchObject({ status: "CRIT", evidence: { oomKilled: true } });
    expect(outcome.summary).toContain("out of memory");
  });

  test("a container that ran out of memory and was started again is WARN, until docker.restart starts it anew", async () => {
    const { name } = await run(
      "[ -e /tmp/once ] && exec sleep 1000; touch /tmp/once; exec dd if=/dev/zero of=/dev/null bs=200M count=1",
      { HostConfig: { Memory: 16 * 2 ** 20, MemorySwap: 16 * 2 ** 20, RestartPolicy: { Name: "always" } } },
    );
    await vi.waitFor(async () => {
      const { status, summary } = await only(name);
      expect(summary).toContain("is running; ran out of memory (OOM) 1 time within 5 min");
      expect(status).toBe("WARN");
    }, 20_000);
    await act(plugin, "restart", { container: name, timeoutSeconds: 0 }).run();
    expect((await only(name)).status).toBe("OK");
  });

  test("a job that completed is OK by glob, CRIT by its plain name; a container somebody stopped is WARN", async () => {
    const job = await run("exit 0");
    await ended(job);
    expect((await only(job.name)).status).toBe("CRIT");
    expect(await probe({ names: [`${job.name}*`] })).toMatchObject([{ status: "OK", item: job.name }]);
    const stopped = await run("trap 'exit 0' TERM; while :; do sleep 0.1; done", {
      HostConfig: { RestartPolicy: { Name: "always" } },
    });
    await stopped.container.stop();
    expect(await probe({ names: [`${stopped.name}*`] })).toMatchObject([{ status: "WARN", item: stopped.name }]);
  });

  test("a paused container is WARN, one that was never started is WARN or, named, CRIT", async () => {
    const paused = await run("sleep 1000");
    await paused.container.pause();
    expect((await only(paused.name)).status).toBe("WARN");
    await paused.container.unpause();
    const name = `${paused.name}-created`;
    const container = await docker.createContainer({ name, Image: await busyboxImage(docker), Cmd: ["/bin/true"] });
    started.push({ name, container });
    expect((await only(name)).status).toBe("CRIT");
    expect(await probe({ names: [`${name}*`] })).toMatchObject([{ status: "WARN" }]);
  });

  test("health decides: starting is UNKNOWN, healthy OK, unhealthy CRIT", async () => {
    const check = (script: string, interval: number) => ({
      Healthcheck: { Test: ["CMD-SHELL", script], Interval: interval, Timeout: 2e9, Retries: 1 },
    });
    const waiting = await run("sleep 1000", check("true", 3600e9));
    expect((await only(waiting.name)).status).toBe("UNKNOWN");
    const fine = await run("sleep 1000", check("true", 2e8));
    await vi.waitFor(async () => expect((await only(fine.name)).status).toBe("OK"), 15_000);
    const ill = await run("sleep 1000", check("echo token=abc; exit 1", 2e8));
    await vi.waitFor(async () => expect((await only(ill.name)).summary).toContain("unhealthy"), 15_000);
    expect(await only(ill.name)).toMatchObject({
      status: "CRIT",
      evidence: { healthCheck: { exitCode: 1, output: "token=[redacted]\n" } },
    });
  });

  test("a container that the engine restarts over and over is CRIT", async () => {
    const { name } = await run("exit 1", { HostConfig: { RestartPolicy: { Name: "always" } } });
    const context = testContext();
    await vi.waitFor(async () => {
      const outcome = await only(name, {}, context);
      expect(outcome.metrics?.restarts?.[0]).toBeGreaterThan(3);
      expect(outcome.status).toBe("CRIT");
      expect(outcome.summary).toMatch(/restart/);
    }, 20_000);
  });

  test("restarts by somebody else count as a loop, restarts by docker.restart do not", async () => {
    const { name, container } = await run("exec sleep 1000");
    const context = testContext();
    const config = { restartLoop: { restarts: 1 } };
    await only(name, config, context);
    for (let i = 0; i < 3; i++) {
      await act(plugin, "restart", { container: name, timeoutSeconds: 0 }).run();
      expect((await only(name, config, context)).status).toBe("OK");
    }
    for (let i = 0; i < 2; i++) {
      await container.restart({ t: 0 });
      await only(name, config, context);
    }
    const loop = await only(name, config, context);
    // The engine resets the exit code at every start.
    expect(loop.summary).toMatch(/is in a restart loop: 2 restarts within 5 min$/);
    expect(loop.evidence).not.toHaveProperty("exitCode");
    const later = testContext({ startAt: context.now() + 300_001 });
    for (const [key, value] of context.memory) later.memory.set(key, value);
    expect((await only(name, config, later)).status).toBe("OK");
  });

  test("docker.restart ends a restart loop at once; docker.start of what runs does not", async () => {
    const { name, container } = await run("exec sleep 1000");
    const context = testContext();
    const config = { restartLoop: { restarts: 1 } };
    await only(name, config, context);
    for (let i = 0; i < 2; i++) {
      await container.restart({ t: 0 });
      await only(name, config, context);
    }
    await act(plugin, "start", { container: name }).run();
    expect((await only(name, config, context)).summary).toContain("restart loop");
    await act(plugin, "restart", { container: name, timeoutSeconds: 0 }).run();
    expect(await only(name, config, context)).toMatchObject({ status: "OK" });
  });

  test("a name that does not exist is CRIT; a container that was removed is closed once", async () => {
    const gone = await run("sleep 1000");
    const context = testContext();
    const config = { names: [`${gone.name}*`] };
    expect(await probe(config, context)).toMatchObject([{ status: "OK" }]);
    await removeContainer(gone);
    expect(await probe(config, context)).toMatchObject([
      { status: "NOT_APPLICABLE", summary: "the Docker engine has no matching container" },
      { status: "NOT_APPLICABLE", item: gone.name },
    ]);
    expect(await probe(config, context)).toHaveLength(1);
    expect(await only(gone.name)).toMatchObject({ status: "CRIT", summary: `container ${gone.name} does not exist` });
  });

  test("containers are found by labels and by compose service; a service without any is CRIT", async () => {
    const label = "com.docker.compose.service";
    const first = await run("sleep 1000", { Labels: { [label]: "poppo-shop", tier: "web" } });
    await run("sleep 1000", { Labels: { [label]: "poppo-blog", tier: "web" } });
    expect(await probe({ service: "poppo-shop" })).toMatchObject([{ item: first.name, status: "OK" }]);
    expect(await probe({ labels: { tier: "web" } })).toHaveLength(2);
    expect(await probe({ labels: { tier: "", [label]: "poppo-shop" } })).toHaveLength(1);
    expect(await probe({ service: "poppo-none" })).toMatchObject([{ item: "poppo-none", status: "CRIT" }]);
  });

  describe("docker.restart, stop and start", () => {
    test("a preview names the container and what will be done, and does nothing", async () => {
      const { name, container } = await run("sleep 1000");
      const before = await container.inspect();
      const preview = await act(plugin, "restart", { container: name }).preview();
      expect(preview).toMatchObject({ possible: true, refusals: [] });
      expect(JSON.stringify(preview)).toMatch(
        new RegExp(
          `restart container ${name}: TERM, KILL after 10 s, start again; now: ${before.Id.slice(0, 12)}, image poppo-test/busybox:latest, running for \\d+ s, restart policy no`,
        ),
      );
      expect((await container.inspect()).State.StartedAt).toBe(before.State.StartedAt);
    });

    test("a restart brings back a container that crashed, streams what it does, and the probe agrees", async () => {
      const crashed = await run("exec sleep 1000");
      await crashed.container.kill();
      await ended(crashed);
      expect((await only(crashed.name)).status).toBe("CRIT");
      const context = testContext();
      const { summary } = await act(plugin, "restart", { container: crashed.name }).run(context);
      expect(summary).toMatch(/: running since 20\S+, pid \d+$/);
      expect(context.lines).toEqual([`restarting ${crashed.name}: stopping (grace 10 s)\n`, `${summary}\n`]);
      expect((await only(crashed.name)).status).toBe("OK");
    });

    test("a restart of what crashes again at once is done; that it did not help is for the probe to say", async () => {
      const hopeless = await run("exit 4");
      await ended(hopeless);
      await act(plugin, "restart", { container: hopeless.name }).run();
      await ended(hopeless);
      expect(await only(hopeless.name)).toMatchObject({ status: "CRIT", evidence: { exitCode: 4 } });
    });

    test("two restarts of one container at once: one is done, one refused", async () => {
      const { name } = await run("trap '' TERM; while :; do sleep 0.1; done");
      const restart = act(plugin, "restart", { container: name, timeoutSeconds: 1 });
      const ends = await Promise.allSettled([restart.run(), restart.run()]);
      expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    });

    test("a cancelled restart stops waiting, and the container is up again all the same", async () => {
      const { name, container } = await run("trap '' TERM; while :; do sleep 0.1; done");
      const before = (await container.inspect()).State.StartedAt;
      const controller = new AbortController();
      const context = testContext({ signal: controller.signal });
      const running = act(plugin, "restart", { container: name, timeoutSeconds: 1 }).run(context);
      await vi.waitFor(() => expect(context.lines).toHaveLength(1));
      controller.abort(new Error("cancelled"));
      await expect(running).rejects.toThrow("cancelled");
      await vi.waitFor(async () => {
        const { State } = await container.inspect();
        expect(State.Running && State.StartedAt !== before).toBe(true);
      }, 15_000);
    });

    test("a stop is not an outage; start and both rollbacks undo it; doing either twice changes nothing", async () => {
      const { name } = await run("trap 'exit 143' TERM; while :; do sleep 0.1; done");
      const stop = act(plugin, "stop", { container: name });
      const start = act(plugin, "start", { container: name });
      expect((await stop.run()).summary).toBe(`stopped ${name}: exit code 143`);
      expect(await only(name)).toMatchObject({ status: "OK", summary: expect.stringContaining("on purpose") });
      await stop.run();
      await start.run();
      await start.run();
      expect((await only(name)).status).toBe("OK");
      await start.rollback();
      expect((await only(name)).summary).toContain("on purpose");
      await stop.rollback();
      expect((await only(name)).summary).toContain("is running");
    });

    test("a container that does not exist or is paused is refused, in preview and in run", async () => {
      const absent = act(plugin, "restart", { container: "poppo-test-absent" });
      expect(await absent.preview()).toMatchObject({ refusals: ["container poppo-test-absent does not exist"] });
      await expect(absent.run()).rejects.toThrow("refused: container poppo-test-absent does not exist");
      const { name, container } = await run("sleep 1000");
      await container.pause();
      const paused = act(plugin, "restart", { container: name });
      expect(await paused.preview()).toMatchObject({ refusals: [expect.stringContaining("is paused")] });
      await expect(paused.run()).rejects.toThrow("is paused");
      await container.unpause();
    });
  });
});

test("a container's name that could change the request is refused", () => {
  const input = plugin.remediations.restart?.input;
  for (const container of ["", "../images", "a/b", "a?force=1", "-x", "a b"])
    expect(input?.safeParse({ container }).success, container).toBe(false);
});
