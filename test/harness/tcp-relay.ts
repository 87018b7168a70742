import { once } from "node:events";
import { type AddressInfo, createServer, type NetConnectOpts, type Socket, connect as toTarget } from "node:net";
import { Lane, type Link, type Weather } from "./link.js";

export interface TcpRelay extends Link, AsyncDisposable {
  port: number;
}

/** A way to `target` that can be broken, for any protocol. */
export async function tcpRelay(target: NetConnectOpts): Promise<TcpRelay> {
  const weather: Weather = { state: "OPEN", delayMs: 0, delayed: 0 };
  const open = new Set<Socket>();
  const server = createServer((near) => {
    if (weather.state === "CUT") return near.destroy();
    open.add(near);
    near.on("error", () => {}).once("close", () => open.delete(near));
    // Taken, and never answered.
    if (weather.state === "HALF_OPEN") return;
    const far = toTarget(target).on("error", () => {});
    const [there, back] = [new Lane(weather), new Lane(weather)];
    near.on("data", (data) => there.pass(() => far.write(data)));
    far.on("data", (data) => back.pass(() => near.write(data)));
    open.add(far.once("close", () => open.delete(far)));
    near.once("close", () => weather.state !== "HALF_OPEN" && far.destroy());
    far.once("close", () => weather.state !== "HALF_OPEN" && near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const breakAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
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
      // What was swallowed is missing in the middle of a stream.
      if (weather.state === "HALF_OPEN") breakAll();
      Object.assign(weather, { state: "OPEN", delayMs: 0 });
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      breakAll();
      await closed;
    },
  };
}
