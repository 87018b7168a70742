import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** A container of the fake engine, and what was done to it. */
export interface FakeContainer {
  name: string;
  running: boolean;
  startedAt: string;
  /** Comes up at a restart. A hopeless one is down again at once. */
  isHopeless: boolean;
  /** Its restarts, by the engine's own clock, and how often one was asked for while another was under way. */
  acts: { began: number; ended: number }[];
  overlaps: number;
  busy: boolean;
}

export interface FakeEngine extends AsyncDisposable {
  socketPath: string;
  containers: Map<string, FakeContainer>;
  /** The container's process dies. */
  kill(name: string): void;
  /** Somebody else has started it. */
  revive(name: string): void;
}

/** How long a restart takes. */
const RESTART_MS = 300;

/** As much of the Docker Engine API as `docker.containers` and `docker.restart` use, with a record of every restart. */
export async function fakeEngine(socketPath: string, names: string[]): Promise<FakeEngine> {
  const now = () => new Date().toISOString();
  const containers = new Map<string, FakeContainer>(
    names.map((name) => [
      name,
      { name, running: true, startedAt: now(), isHopeless: false, acts: [], overlaps: 0, busy: false },
    ]),
  );
  const server = createServer((call, answer) => void handle(call, answer));
  server.listen(socketPath);
  await once(server, "listening");

  async function handle({ method, url = "" }: IncomingMessage, answer: ServerResponse): Promise<void> {
    const say = (status: number, body?: unknown) => answer.writeHead(status).end(body && JSON.stringify(body));
    const [, kind, id = "", act] = new URL(url, "http://docker").pathname.split("/");
    if (kind === "containers" && id === "json") return void say(200, [...containers.values()].map(listed));
    const container = containers.get(decodeURIComponent(id));
    if (!container) return void say(404, { message: `no such container: ${id}` });
    if (method === "POST" && act === "restart") {
      await restart(container);
      return void say(204);
    }
    say(200, inspected(container));
  }

  async function restart(container: FakeContainer): Promise<void> {
    const act = { began: performance.now(), ended: Number.POSITIVE_INFINITY };
    container.acts.push(act);
    if (container.busy) container.overlaps++;
    container.busy = true;
    await sleep(RESTART_MS);
    act.ended = performance.now();
    container.busy = false;
    container.running = !container.isHopeless;
    container.startedAt = now();
  }

  return {
    socketPath,
    containers,
    kill: (name) => {
      containers.get(name)!.running = false;
    },
    revive: (name) => {
      containers.get(name)!.running = true;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await rm(socketPath, { force: true });
    },
  };
}

const listed = ({ name, running }: FakeContainer) => ({
  Id: name,
  Names: [`/${name}`],
  State: running ? "running" : "exited",
});

const inspected = ({ name, running, startedAt }: FakeContainer) => ({
  Id: name,
  Name: `/${name}`,
  RestartCount: 0,
  State: {
    Status: running ? "running" : "exited",
    OOMKilled: false,
    Pid: running ? 1 : 0,
    ExitCode: running ? 0 : 137,
    Error: "",
    StartedAt: startedAt,
    FinishedAt: startedAt,
  },
  Config: { Image: "fake", Tty: false },
  HostConfig: { RestartPolicy: { Name: "no", MaximumRetryCount: 0 } },
});
