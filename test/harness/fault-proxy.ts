import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import { Lane, type Link, type Weather } from "./link.js";
import { type Mischief, meddle, noMischief } from "./mischief.js";

export interface FaultProxy extends Link, AsyncDisposable {
  url: string;
  /** What happens to single messages; changed while it runs. */
  mischief: Mischief;
}

export interface FaultProxyOptions {
  /** The servers behind it, as `http://…`. Each connection goes to the next one; who does not answer is passed over. */
  targets(): string[];
  random(): number;
}

/**
 * A way from agents and clients to the servers that can be broken. It ends the WebSocket and forwards messages, so that it
 * can also repeat one, let one overtake another, or keep one back.
 */
export async function faultProxy({ targets, random }: FaultProxyOptions): Promise<FaultProxy> {
  const weather: Weather = { state: "OPEN", delayMs: 0, delayed: 0 };
  const mischief = noMischief();
  const open = new Set<Duplex>();
  const reached = new Set<WebSocket>();
  const sockets = new WebSocketServer({ noServer: true, autoPong: false, perMessageDeflate: false });
  const server = createServer((near, answer) => void forward(near, answer));
  let turn = 0;

  async function forward(near: IncomingMessage, answer: ServerResponse): Promise<void> {
    if (weather.state !== "OPEN") return void near.socket.destroy();
    const [target] = targets();
    const far = request(`${target}${near.url}`, { method: near.method, headers: near.headers }, (response) => {
      answer.writeHead(response.statusCode!, response.headers);
      response.pipe(answer);
    });
    far.on("error", () => answer.destroy());
    near.pipe(far);
  }

  server.on("connection", (socket) => {
    if (weather.state === "CUT") return socket.destroy();
    open.add(socket);
    socket.on("error", () => {}).once("close", () => open.delete(socket));
  });
  server.on("upgrade", async (near, stream, head) => {
    if (weather.state === "HALF_OPEN") return;
    const far = await reach(targets(), turn++);
    if (!far) return void stream.destroy();
    if (stream.destroyed) return far.terminate();
    sockets.handleUpgrade(near, stream, head, (socket) => join(socket, far));
  });

  function join(near: WebSocket, far: WebSocket): void {
    reached.add(far.once("close", () => reached.delete(far)));
    const [there, back] = [new Lane(weather), new Lane(weather)];
    const paths = meddle(mischief, random, {
      toServer: (text) => there.pass(() => far.send(text)),
      toClient: (text) => back.pass(() => near.send(text)),
    });
    near.on("message", (data) => paths.fromClient(String(data)));
    far.on("message", (data) => paths.fromServer(String(data)));
    couple(near, far, there);
    couple(far, near, back);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const breakAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mischief,
    weather,
    cut() {
      weather.state = "CUT";
      breakAll();
    },
    halfOpen() {
      weather.state = "HALF_OPEN";
    },
    delay(ms) {
      weather.delayMs = ms;
    },
    heal() {
      if (weather.state === "HALF_OPEN") breakAll();
      Object.assign(weather, { state: "OPEN", delayMs: 0 });
      Object.assign(mischief, { repeat: 0, overtake: 0 });
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      breakAll();
      for (const far of reached) far.terminate();
      await closed;
    },
  };
}

/** Pings and the farewell of one end reach the other, so that each still notices when its peer is gone. */
function couple(from: WebSocket, to: WebSocket, lane: Lane): void {
  const whenOpen = (act: () => void) => lane.pass(() => to.readyState === WebSocket.OPEN && act());
  from.on("error", () => {});
  from.on("ping", (data) => whenOpen(() => to.ping(data)));
  from.on("pong", (data) => whenOpen(() => to.pong(data)));
  from.on("close", (code, reason) =>
    lane.pass(() => {
      // 1005 and 1006 say that there was no farewell.
      if (code === 1005 || code === 1006) to.terminate();
      else to.close(code, reason);
    }),
  );
}

/** The first server that answers, beginning with the one whose turn it is. */
async function reach(targets: string[], turn: number): Promise<WebSocket | undefined> {
  for (let i = 0; i < targets.length; i++) {
    const url = `${targets[(turn + i) % targets.length]!.replace("http", "ws")}/graphql`;
    const far = new WebSocket(url, "graphql-transport-ws", { autoPong: false, perMessageDeflate: false });
    far.on("error", () => {});
    const opened = await Promise.race([once(far, "open").then(() => true), once(far, "close").then(() => false)]).catch(
      () => false,
    );
    if (opened) return far;
  }
  return undefined;
}
