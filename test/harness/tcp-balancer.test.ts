import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Balancer, busiest, type Policy, tcpBalancer } from "./tcp-balancer.js";

let backends: Server[];
let urls: string[];

beforeEach(async () => {
  backends = await Promise.all([0, 1, 2].map((i) => listen(backend(i))));
  urls = backends.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(() => Promise.all(backends.map(end)));

/** Says who it is; takes up every second upgrade. */
function backend(number: number): Server {
  let upgrades = 0;
  return createServer((_, response) => response.end(String(number))).on("upgrade", (_, socket) => {
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy()).resume();
    socket.write(upgrades++ % 2 === 0 ? "HTTP/1.1 101 Switching Protocols\r\n\r\n" : "HTTP/1.1 503 Busy\r\n\r\n");
  });
}

async function listen(server: Server, port = 0): Promise<Server> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function end(server: Server): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}

const ask = async ({ url }: Balancer) => (await fetch(url, { headers: { connection: "close" } })).text();
const upgrade = ({ url }: Balancer) => {
  const asked = request(url, { agent: false, headers: { connection: "Upgrade", upgrade: "websocket" } }).end();
  asked.on("error", () => {});
  return Promise.race([once(asked, "upgrade"), once(asked, "response")]).then(() => asked);
};

describe("a balancer", () => {
  test.each<[Policy, string[]]>([
    ["round robin", ["0", "1", "2", "0"]],
    ["least connections", ["0", "0", "0", "0"]],
  ])("%s", async (policy, order) => {
    await using balancer = await tcpBalancer(urls, policy);
    for (const expected of order) expect(await ask(balancer)).toBe(expected);
  });

  test("leaves out who refuses, at once, and takes it back when it answers", async () => {
    await using balancer = await tcpBalancer(urls);
    const { port } = backends[0]!.address() as AddressInfo;
    await end(backends[0]!);
    expect(new Set([await ask(balancer), await ask(balancer), await ask(balancer)])).toEqual(new Set(["1", "2"]));
    backends[0] = await listen(backend(0), port);
    await expect.poll(() => ask(balancer), { timeout: 5000 }).toBe("0");
  });

  test("counts upgrades that were taken up and refused", async () => {
    await using balancer = await tcpBalancer(urls.slice(0, 1));
    const asked = [await upgrade(balancer), await upgrade(balancer), await upgrade(balancer)];
    const traffic = balancer.traffic.get(urls[0]!)!;
    expect(traffic).toMatchObject({ admittedAt: [expect.any(Number), expect.any(Number)], refused: 1, open: 3 });
    for (const one of asked) one.destroy();
    await expect.poll(() => traffic.open).toBe(0);
  });
});

test("the busiest second is found wherever it begins", () => {
  const traffic = { refused: 0, open: 0 };
  expect(busiest({ ...traffic, admittedAt: [] })).toBe(0);
  expect(busiest({ ...traffic, admittedAt: [0, 900, 1100, 1899, 1900, 5000] })).toBe(3);
  expect(busiest({ ...traffic, admittedAt: [0, 900, 1100, 1899, 1900, 5000] }, 2000)).toBe(5);
});
