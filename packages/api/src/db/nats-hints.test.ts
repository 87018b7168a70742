import { connect } from "node:net";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testServer } from "../http/testing/test-server.js";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { natsHints } from "./nats-hints.js";
import { natsServers } from "./nats-servers.js";
import { type NatsServer, startNats, startNatsCluster, whyNoNats } from "./testing/nats-server.js";

const poll = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 10_000, interval: 20 });

test.each([
  ["nats://a:4222,tls://[::1]:4223", { servers: ["a:4222", "[::1]:4223"], tls: {} }],
  ["nats://me:p%40ss@a", { servers: ["a"], user: "me", pass: "p@ss" }],
  ["nats://a,nats://secret@b:1", { servers: ["a", "b:1"], token: "secret" }],
])("%s is understood", (url, expected) => expect(natsServers(url)).toEqual(expected));

describe.skipIf(whyNoNats())("replicas with NATS", () => {
  let app: TestApp;
  let messages: string[];
  beforeAll(async () => {
    app = await testApp();
  });
  afterAll(() => app[Symbol.asyncDispose]());

  /** A replica's bus, and what it heard. */
  const replica = (url: string, installation = app) => {
    const log = pino({ level: "info" }, { write: (line) => void messages.push(JSON.parse(line).msg) });
    const bus = natsHints({ ...installation, log }, url);
    const name = `replica:${++replicas}`;
    const heard: string[] = [];
    const met = new Set<string>();
    bus.subscribe((topic) => (topic.startsWith("replica:") ? met.add(topic) : heard.push(topic)));
    return { bus, name, heard, met, publish: bus.publish, [Symbol.asyncDispose]: bus.stop };
  };
  type Replica = ReturnType<typeof replica>;
  let replicas = 0;
  /** A hint may be lost while a connection comes about; sooner or later one arrives. */
  const meet = async (...both: [Replica, Replica]) => {
    for (const { met } of both) met.clear();
    await poll(() => {
      for (const { publish, name } of both) publish(name);
      return both.every(({ met }) => met.size === 2);
    }).toBe(true);
  };

  test("a hint reaches the other replica, and the own one once; what comes together is one message", async () => {
    messages = [];
    await using nats = await startNats();
    await using here = replica(nats.url);
    await using there = replica(nats.url);
    await meet(here, there);
    const spy = await startSpy(nats);
    const topics = Array.from({ length: 1000 }, (_, i) => `output:${i}`);
    for (const topic of topics) here.publish(topic);
    here.publish(topics[0]!);
    there.publish("the end");
    await poll(() => here.heard.at(-1)).toBe("the end");
    await poll(() => there.heard.length).toBe(1001);
    expect(here.heard.filter((topic) => topic === topics[1])).toHaveLength(1);
    expect(there.heard.filter((topic) => topic !== "the end")).toEqual(topics);
    await poll(() => spy.outputs()).toBe(1);
    spy.end();
  });

  test("another installation on the same NATS is not heard", async () => {
    messages = [];
    await using nats = await startNats();
    await using other = await testApp();
    // Databases of tests are copies of one.
    await other.database.pool.query("UPDATE installation SET id = gen_random_uuid()");
    await using here = replica(nats.url);
    await using there = replica(nats.url);
    await using stranger = replica(nats.url, other);
    await using its = replica(nats.url, other);
    await meet(here, there);
    await meet(stranger, its);
    stranger.publish("events");
    here.publish("the end");
    await poll(() => [there.heard, its.heard]).toEqual([["the end"], ["events"]]);
    for (const { met } of [here, there]) expect(met).toEqual(new Set([here.name, there.name]));
  });

  test("NATS that is away stops nobody from starting; it is said once, and used when it comes", async () => {
    messages = [];
    await using nats = await startNats();
    await nats.kill();
    await using here = replica(nats.url);
    await using there = replica(nats.url);
    here.publish("events");
    expect(here.heard).toEqual(["events"]);
    await poll(() => messages.filter((message) => message.startsWith("NATS is away"))).toHaveLength(2);
    await nats.start();
    await meet(here, there);
    expect(messages).toHaveLength(4);
  });

  test("a whole server starts, answers and stops while NATS is away", async () => {
    await using server = await testServer({ natsUrl: "nats://127.0.0.1:1" });
    expect(await server.ask("{ viewer { name } }")).toMatchObject({ data: { viewer: { name: "first admin" } } });
  });

  test("NATS killed and back: hints go on, and none of before comes late", async () => {
    messages = [];
    await using nats = await startNats();
    await using here = replica(nats.url);
    await using there = replica(nats.url);
    await meet(here, there);
    await nats.kill();
    await poll(() => messages.filter((message) => message.startsWith("NATS is away"))).toHaveLength(2);
    here.publish("of before");
    await nats.start();
    await meet(here, there);
    here.publish("of now");
    await poll(() => there.heard).toEqual(["of now"]);
  });

  test("of a cluster of three the node a replica is connected to is killed: it goes on with another", async () => {
    messages = [];
    const nodes = await startNatsCluster();
    try {
      // It is told of one node only, and learns of the others.
      await using here = replica(nodes[0]!.url);
      await using there = replica(nodes.map(({ url }) => url).join(","));
      await meet(here, there);
      await nodes[0]!.kill();
      await poll(() => messages.filter((message) => message === "hints go by NATS").length).toBeGreaterThanOrEqual(3);
      await meet(here, there);
    } finally {
      await Promise.all(nodes.map((node) => node.kill()));
    }
  });

  test("wrong credentials are said, and right ones used", async () => {
    messages = [];
    await using nats = await startNats("--user", "poppo", "--pass", "p@ss");
    await using stranger = replica(nats.url);
    await poll(() => messages).toContainEqual(expect.stringMatching(/^NATS is away/));
    const url = nats.url.replace("//", "//poppo:p%40ss@");
    await using here = replica(url);
    await using there = replica(url);
    await meet(here, there);
    expect(stranger.heard).toEqual([]);
  });
});

/** Counts the messages with hints of output that pass, as one more client: https://docs.nats.io/reference/reference-protocols/nats-protocol */
async function startSpy(nats: NatsServer) {
  const socket = connect(Number(new URL(nats.url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (data) => {
    text += data;
  });
  socket.write('CONNECT {"verbose":false}\r\nSUB poppo.*.hints 1\r\nPING\r\n');
  await poll(() => text).toContain("PONG");
  return { outputs: () => text.match(/^MSG .*\r\noutput:/gm)?.length ?? 0, end: () => socket.destroy() };
}
