import { once } from "node:events";
import { get } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setInterval as every } from "node:timers/promises";

const CHECK_EVERY_MS = 200;
/** Longer than this without an answer, and a backend gets nobody new. */
const ANSWER_WITHIN_MS = 2000;

export type Policy = "round robin" | "least connections";

/** What became of the WebSocket upgrades that went to one backend. */
export interface Traffic {
  /** When each was taken up: `performance.now()`. */
  admittedAt: number[];
  refused: number;
  /** TCP connections that are open. */
  open: number;
}

export interface Balancer extends AsyncDisposable {
  url: string;
  /** By the backend's URL. */
  traffic: ReadonlyMap<string, Traffic>;
}

interface Backend {
  url: URL;
  answers: boolean;
  traffic: Traffic;
}

/**
 * What stands before several replicas: it passes on bytes and understands none. Who answers `GET /health` with anything gets
 * new connections; who refuses one is left out at once and the connection goes to the next. It only counts upgrades.
 */
export async function tcpBalancer(urls: string[], policy: Policy = "round robin"): Promise<Balancer> {
  const backends = urls.map(
    (url): Backend => ({ url: new URL(url), answers: true, traffic: { admittedAt: [], refused: 0, open: 0 } }),
  );
  const stopping = new AbortController();
  const pairs = new Set<Socket>();
  let turn = 0;
  const order = () => {
    const answering = backends.filter(({ answers }) => answers);
    // Nobody answers in time: then it is rather the machine that is slow.
    const able = answering.length > 0 ? answering : [...backends];
    if (policy === "least connections") return able.sort((a, b) => a.traffic.open - b.traffic.open);
    const first = turn++ % able.length;
    return [...able.slice(first), ...able.slice(0, first)];
  };
  const server = createServer({ pauseOnConnect: true }, async (near) => {
    pairs.add(near);
    near.on("error", () => {});
    near.once("close", () => pairs.delete(near));
    for (const backend of order()) {
      const far = await reach(backend);
      if (far) return join(near, far, backend.traffic);
    }
    near.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const checking = Promise.all(backends.map((backend) => watch(backend, stopping.signal)));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    traffic: new Map(urls.map((url, i) => [url, backends[i]!.traffic])),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await checking;
      for (const socket of pairs) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** The most upgrades that were taken up within any `ms`. */
export function busiest({ admittedAt }: Traffic, ms = 1000): number {
  let most = 0;
  for (let from = 0, to = 0; to < admittedAt.length; to++) {
    while (admittedAt[to]! - admittedAt[from]! >= ms) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

async function reach(backend: Backend): Promise<Socket | null> {
  const far = connect(Number(backend.url.port), backend.url.hostname);
  try {
    await once(far, "connect");
    far.on("error", () => {});
    return far;
  } catch {
    backend.answers = false;
    return null;
  }
}

function join(near: Socket, far: Socket, traffic: Traffic): void {
  traffic.open++;
  far.once("data", (first: Buffer) => {
    const status = first.toString("latin1", 0, 12);
    if (status === "HTTP/1.1 101") traffic.admittedAt.push(performance.now());
    if (status === "HTTP/1.1 503") traffic.refused++;
  });
  near.once("close", () => far.destroySoon());
  far.once("close", () => {
    traffic.open--;
    near.destroySoon();
  });
  near.pipe(far).pipe(near);
}

async function watch(backend: Backend, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of every(CHECK_EVERY_MS, undefined, { signal })) backend.answers = await answers(backend.url);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function answers(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(new URL("/health", url), { agent: false, timeout: ANSWER_WITHIN_MS }, (response) => {
      response.resume();
      resolve(true);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}
