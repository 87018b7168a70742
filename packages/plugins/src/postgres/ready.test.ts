import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { z } from "zod";
import type { Outcome } from "../contract.js";
import { manifest } from "./config.js";
import { plugin } from "./index.js";
import { type Cluster, findBinaries, startCluster } from "./testing/throwaway-cluster.js";

type Config = z.input<typeof manifest.probes.ready.config>;

const run = async (config: Config, signal = new AbortController().signal): Promise<Outcome> =>
  (await plugin.probes.ready?.run(manifest.probes.ready.config.parse(config), {
    signal,
    now: () => 0,
    monotonic: () => 0,
    memory: new Map(),
  })) as Outcome;

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

/** A server that does what `onConnection` says, and the sockets it has. */
async function fakeServer(onConnection: (socket: Socket) => void): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("close", () => sockets.delete(socket)).on("error", () => {}));
    onConnection(socket);
    socket.resume();
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  return { port: await listen(server), sockets };
}

/** An ErrorResponse as PostgreSQL sends it before a login. */
function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

const binaries = await findBinaries();
if (!binaries && process.env.CI)
  throw new Error("PostgreSQL is not installed; the tests of the postgres plugin need initdb and postgres");
if (!binaries)
  console.warn("skipped: the postgres plugin against a real server, because neither pg_config nor postgres was found");

describe.skipIf(!binaries)("against a real PostgreSQL", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster(binaries as string, { max_connections: "8", superuser_reserved_connections: "3" });
    const admin = await connect();
    await admin.query("CREATE ROLE app LOGIN PASSWORD 'secret'");
    await admin.end();
  });
  afterAll(() => cluster?.stop());

  async function connect(user = "postgres"): Promise<Client> {
    const client = new Client({
      host: "127.0.0.1",
      port: cluster.port,
      user,
      database: "postgres",
      password: "secret",
    });
    client.on("error", () => {});
    await client.connect();
    return client;
  }
  const login = (overrides: Config = {}): Config => ({
    host: "127.0.0.1",
    port: cluster.port,
    user: "app",
    database: "postgres",
    password: "secret",
    ...overrides,
  });
  let occupants: Client[] = [];
  async function occupy(count: number): Promise<void> {
    occupants.push(...(await Promise.all(Array.from({ length: count }, () => connect("app")))));
  }
  afterEach(async () => {
    await Promise.all(occupants.map((client) => client.end()));
    occupants = [];
    await expect.poll(sessions).toBe(0);
  });
  async function sessions(): Promise<number> {
    const admin = await connect();
    const { rows } = await admin.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app'");
    await admin.end();
    return rows[0].n;
  }

  test("a healthy server is OK, with version, latency and connections", async () => {
    const outcome = await run(login());
    expect(outcome).toMatchObject({
      status: "OK",
      evidence: { inRecovery: false, version: expect.stringMatching(/^\d+/) },
    });
    expect(outcome.metrics).toMatchObject({
      connectionsUsed: [1, "1"],
      connectionsAvailable: [5, "1"],
      connections: [20, "%"],
      inRecovery: [0, "1"],
    });
    expect(Object.keys(outcome.metrics ?? {})).toEqual(expect.arrayContaining(["latency", "connect", "query"]));
  });

  test("a url and a socket folder reach the same server", async () => {
    vi.stubEnv("POPPO_TEST_URL", `postgres://app:secret@127.0.0.1:${cluster.port}/postgres`);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await run({ url: "env:POPPO_TEST_URL" })).toMatchObject({ status: "OK" });
    expect(await run(login({ host: cluster.folder }))).toMatchObject({ status: "OK" });
  });

  test("no session is left behind, whether the query succeeds or fails", async () => {
    expect(await run(login())).toMatchObject({ status: "OK" });
    expect(await run(login({ query: "SELECT 1/0" }))).toMatchObject({ status: "UNKNOWN" });
    await expect.poll(sessions).toBe(0);
  });

  test("connections at a limit are graded, for a role that may not see the others' sessions too", async () => {
    await occupy(3);
    expect(await run(login())).toMatchObject({
      status: "WARN",
      summary: expect.stringContaining("4 of 5 connections used (80 %)"),
    });
    await occupy(1);
    expect(await run(login())).toMatchObject({ status: "CRIT", summary: expect.stringContaining("5 of 5") });
  });

  test("a server with no connection left is CRIT", async () => {
    await occupy(5);
    expect(await run(login())).toMatchObject({
      status: "CRIT",
      summary: expect.stringMatching(/too many connections.*53300/),
    });
  });

  test("a wrong password, role or database is our mistake: UNKNOWN, and the password shows nowhere", async () => {
    const password = "hunter2-wrong";
    const outcomes = await Promise.all([
      run(login({ password })),
      run(login({ user: "nobody", password })),
      run(login({ database: "absent" })),
      run({ url: `postgres://app:${password}@127.0.0.1:${cluster.port}/postgres` }),
    ]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: "UNKNOWN", summary: expect.stringContaining("server answers, but") });
      expect(JSON.stringify(outcome)).not.toContain(password);
    }
  });

  test("a query that fails is UNKNOWN, and one that writes changes nothing", async () => {
    expect(await run(login({ query: "SELECT * FROM absent" }))).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("42P01"),
    });
    const writing = { user: "postgres", query: "CREATE TABLE written ()" };
    expect(await run(login(writing))).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("a probe only reads"),
    });
    const escaping = { user: "postgres", query: "COMMIT; CREATE TABLE written ()" };
    expect(await run(login(escaping))).toMatchObject({ status: "UNKNOWN", summary: expect.stringContaining("42601") });
    const admin = await connect();
    const { rows } = await admin.query("SELECT to_regclass('written') AS found");
    await admin.end();
    expect(rows[0].found).toBeNull();
  });

  test("a query that hangs ends with the signal, and its session soon after", async () => {
    const stop = new AbortController();
    const running = run(login({ query: "SELECT pg_sleep(3600)", queryTimeoutMs: 3000 }), stop.signal);
    await expect.poll(sessions).toBe(1);
    stop.abort(new Error("stopped"));
    await expect(running).rejects.toThrow("stopped");
    await expect.poll(sessions, { timeout: 20_000 }).toBe(0);
  });

  test("a query that takes longer than queryTimeoutMs is UNKNOWN", async () => {
    const outcome = await run(login({ query: "SELECT pg_sleep(3600)", queryTimeoutMs: 50 }));
    expect(outcome).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("longer than queryTimeoutMs"),
    });
  });

  test("a server that shuts down is CRIT, and then refuses", async () => {
    const own = await startCluster(binaries as string, {});
    onTestFinished(() => own.stop());
    const session = new Client({ host: own.folder, port: own.port, user: "postgres", password: "secret" });
    session.on("error", () => {});
    await session.connect();
    own.shutDownSmartly();
    const target = { host: "127.0.0.1", port: own.port, password: "secret" };
    await vi.waitFor(async () =>
      expect(await run(target)).toMatchObject({
        status: "CRIT",
        summary: expect.stringMatching(/not accepting connections.*shutting down.*57P03/),
      }),
    );
    await session.end();
    await vi.waitFor(async () =>
      expect(await run(target)).toMatchObject({ status: "CRIT", summary: expect.stringContaining("ECONNREFUSED") }),
    );
  });
});

test("a port nobody listens on is CRIT", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  expect(await run({ host: "127.0.0.1", port })).toMatchObject({
    status: "CRIT",
    summary: expect.stringContaining("ECONNREFUSED"),
  });
});

test("a socket folder without a socket is CRIT", async () => {
  expect(await run({ host: "/nonexistent" })).toMatchObject({
    status: "CRIT",
    summary: expect.stringContaining("ENOENT"),
  });
});

test("a server that starts up is CRIT and says so", async () => {
  const { port, sockets } = await fakeServer((socket) =>
    socket.once("data", () => socket.end(errorResponse("57P03", "the database system is starting up"))),
  );
  expect(await run({ host: "127.0.0.1", port })).toMatchObject({
    status: "CRIT",
    summary: expect.stringContaining("starting up"),
  });
  await expect.poll(() => sockets.size).toBe(0);
});

test("a server that accepts and says nothing ends with the signal, and its socket is closed", async () => {
  const stop = new AbortController();
  const { port, sockets } = await fakeServer((socket) =>
    socket.once("data", () => stop.abort(new Error("the probe's time is up"))),
  );
  await expect(run({ host: "127.0.0.1", port }, stop.signal)).rejects.toThrow("the probe's time is up");
  await expect.poll(() => sockets.size).toBe(0);
});

test("a login that takes longer than connectTimeoutMs is UNKNOWN, and its socket is closed", async () => {
  const { port, sockets } = await fakeServer(() => {});
  const outcome = await run({ host: "127.0.0.1", port, connectTimeoutMs: 100 });
  expect(outcome).toMatchObject({ status: "UNKNOWN", summary: expect.stringContaining("no answer in time") });
  await expect.poll(() => sockets.size).toBe(0);
});

test("a server that hangs up without a word is CRIT", async () => {
  const { port } = await fakeServer((socket) => socket.once("data", () => socket.end()));
  expect(await run({ host: "127.0.0.1", port })).toMatchObject({ status: "CRIT" });
});

test("an HTTP server on the port is not a database that is down: UNKNOWN", async () => {
  const port = await listen(createHttpServer());
  expect(await run({ host: "127.0.0.1", port, connectTimeoutMs: 500 })).toMatchObject({ status: "UNKNOWN" });
});

test("a server without TLS is UNKNOWN when TLS is asked for", async () => {
  const { port } = await fakeServer((socket) => socket.once("data", () => socket.write("N")));
  expect(await run({ host: "127.0.0.1", port, ssl: "require" })).toMatchObject({
    status: "UNKNOWN",
    summary: expect.stringContaining("does not support SSL"),
  });
});

test("a reference to nothing, and a url that is none, are UNKNOWN and show no value", async () => {
  expect(await run({ url: "env:POPPO_TEST_ABSENT" })).toMatchObject({
    status: "UNKNOWN",
    summary: expect.stringContaining("POPPO_TEST_ABSENT is not set"),
  });
  const outcome = await run({ url: "postgres://app:hunter2@[broken/postgres" });
  expect(outcome.status).toBe("UNKNOWN");
  expect(JSON.stringify(outcome)).not.toContain("hunter2");
});

test("a config that contradicts itself is refused by name", () => {
  const refusal = (config: unknown) => manifest.probes.ready.config.safeParse(config).error?.message ?? "";
  expect(refusal({ url: "postgres://h/d", host: "h" })).toContain("host and url exclude each other");
  expect(refusal({ connectionsPercent: { warn: 95, crit: 90 } })).toContain("warn (95) must be below crit (90)");
  expect(refusal({ url: "mysql://h/d" })).toContain("postgres://");
});
