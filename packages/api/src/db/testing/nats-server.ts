import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface NatsServer extends AsyncDisposable {
  url: string;
  pid: number;
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

/**
 * The reason why there are no tests with NATS, if there is one.
 * @throws it where `CI` is set: there the tests must run
 */
export function whyNoNats(): string | undefined {
  const { error } = spawnSync("nats-server", ["--version"]);
  if (!error) return undefined;
  const reason = `no NATS tests: they need the program nats-server (${error.message})`;
  if (process.env.CI) throw new Error(reason);
  console.warn(reason);
  return reason;
}

/** A real NATS server on loopback; killed on dispose. */
export const startNats = async (...more: string[]): Promise<NatsServer> => startNode(await freePort(), more);

/** Three real NATS servers that know each other. */
export async function startNatsCluster(): Promise<NatsServer[]> {
  const ports = await Promise.all(Array.from({ length: 6 }, freePort));
  const routes = ports.slice(3).map((port) => `nats://127.0.0.1:${port}`);
  const nodes = await Promise.all(
    routes.map((route, i) =>
      startNode(ports[i]!, ["--cluster_name", "poppo", "--cluster", route, "--routes", routes.join(",")]),
    ),
  );
  await Promise.all(nodes.map((node) => untilMeshed(node.url, nodes.length)));
  return nodes;
}

async function startNode(port: number, more: string[]): Promise<NatsServer> {
  let child: ChildProcess;
  const node: NatsServer = {
    url: `nats://127.0.0.1:${port}`,
    pid: 0,
    async start() {
      child = spawn("nats-server", ["--addr", "127.0.0.1", "--port", String(port), ...more], { stdio: "ignore" });
      node.pid = child.pid!;
      await untilMeshed(node.url, 0);
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
    [Symbol.asyncDispose]: () => node.kill(),
  };
  await node.start();
  return node;
}

/** @throws when it does not know that many servers, itself included, within 10 s */
async function untilMeshed(url: string, servers: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const info = await greeting(Number(new URL(url).port)).catch(() => undefined);
    if (info && (info.connect_urls?.length ?? 0) >= servers) return;
    await sleep(20);
  }
  throw new Error(`NATS at ${url} did not come up within 10 s`);
}

/** What a NATS server says first: https://docs.nats.io/reference/reference-protocols/nats-protocol#info */
async function greeting(port: number): Promise<{ connect_urls?: string[] }> {
  const socket = connect(port, "127.0.0.1");
  try {
    const [line] = (await once(socket, "data")) as [Buffer];
    return JSON.parse(String(line).replace(/^INFO /, ""));
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
