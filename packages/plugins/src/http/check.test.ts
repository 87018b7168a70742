import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { z } from "zod";
import type { Outcome } from "../contract.js";
import { manifest } from "./config.js";
import { plugin } from "./index.js";

type Config = z.input<typeof manifest.probes.check.config>;

const run = async (config: Config, { signal = new AbortController().signal, now = 0 } = {}): Promise<Outcome> =>
  (await plugin.probes.check?.run(manifest.probes.check.config.parse(config), {
    signal,
    now: () => now,
    monotonic: () => now,
    memory: new Map(),
  })) as Outcome;

/** Starts a server for one test; `sockets` are the ones still open. */
async function start(server: Server): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket.on("close", () => sockets.delete(socket)).on("error", () => {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as { port: number }).port, sockets };
}

async function serve(listener: RequestListener) {
  const { port, sockets } = await start(createServer(listener));
  return { url: `http://127.0.0.1:${port}`, sockets };
}

const answer =
  (status: number, body = "", headers: Record<string, string> = {}) =>
  (_request: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(status, headers).end(body);

const asks = async (listener: RequestListener, config: Omit<Config, "url"> = {}) =>
  run({ url: (await serve(listener)).url, ...config });

describe("the answer", () => {
  test("of an expected status is OK, with times, status and size", async () => {
    const outcome = await asks(answer(200, "hello"));
    expect(outcome).toMatchObject({ status: "OK", metrics: { status: [200, "1"], body: [5, "B"] } });
    expect(Object.keys(outcome.metrics ?? {})).toEqual(expect.arrayContaining(["latency", "connect", "firstByte"]));
    expect(outcome.metrics).not.toHaveProperty("tls");
  });

  test.each([
    [204, "2xx", "OK"],
    [404, "2xx", "CRIT"],
    [503, "2xx", "CRIT"],
    [404, 404, "OK"],
    [201, 200, "CRIT"],
    [503, [200, "5xx"], "OK"],
    [429, "2xx", "UNKNOWN"],
    [429, 429, "OK"],
    [302, 302, "OK"],
  ] as const)("of status %i where %j is expected is %s", async (status, expectStatus, expected) => {
    const outcome = await asks(answer(status, "", { location: "/" }), {
      expectStatus: expectStatus as Config["expectStatus"],
    });
    expect(outcome.status).toBe(expected);
  });

  test("that redirects is CRIT, is not followed, and hides the secrets of the address", async () => {
    let requests = 0;
    const outcome = await asks((_request, response) => {
      requests++;
      response.writeHead(302, { location: "/login?session=hunter2" }).end();
    });
    expect(outcome).toMatchObject({
      status: "CRIT",
      summary: expect.stringContaining("a login page is not our service"),
    });
    expect(outcome.summary).toContain("/login?session=***");
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
    expect(requests).toBe(1);
  });

  test("without the expected text is CRIT", async () => {
    expect(await asks(answer(200, "all is well"), { expectBody: "is well" })).toMatchObject({ status: "OK" });
    expect(await asks(answer(200, "all is lost"), { expectBody: "is well" })).toMatchObject({ status: "CRIT" });
  });

  test("slower than a limit is graded", async () => {
    const slow: RequestListener = (_request, response) => void setTimeout(() => response.end(), 30);
    expect(await asks(slow, { latencyMs: { warn: 1, crit: 20_000 } })).toMatchObject({ status: "WARN" });
    expect(await asks(slow, { latencyMs: { warn: 1, crit: 2 } })).toMatchObject({ status: "CRIT" });
  });
});

describe("JSON", () => {
  const json = answer(200, JSON.stringify({ status: "ok", queue: { depth: 7 }, nodes: [{ up: true }], name: "x" }));

  test.each([
    [{ status: "ok", "queue.depth": { max: 10 }, "nodes.0.up": true }, "OK"],
    [{ status: "degraded" }, "CRIT"],
    [{ "queue.depth": { max: 5 } }, "CRIT"],
    [{ "queue.depth": { min: 8 } }, "CRIT"],
    [{ "queue.oldest": { max: 5 } }, "UNKNOWN"],
    [{ name: { max: 5 } }, "UNKNOWN"],
    [{ "status.length": 2 }, "UNKNOWN"],
    [{ "constructor.name": "Object" }, "UNKNOWN"],
    [{ "queue.absent": 1, status: "degraded" }, "CRIT"],
  ] as [Config["expectJson"], string][])("%j is %s", async (expectJson, status) => {
    expect((await asks(json, { expectJson })).status).toBe(status);
  });

  test("numbers become metrics", async () => {
    expect((await asks(json, { expectJson: { "queue.depth": { max: 10 } } })).metrics).toMatchObject({
      "json.queue.depth": [7, "1"],
    });
  });

  test("that is none is UNKNOWN: there is no value to judge", async () => {
    expect(await asks(answer(200, '{"status": '), { expectJson: { status: "ok" } })).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("not JSON"),
    });
  });
});

describe("identity", () => {
  const identity = { header: { "X-Service": "orders" }, json: ["orders.version"] };

  test("of our program is OK", async () => {
    const ours = answer(200, '{"orders":{"version":1}}', { "x-service": "orders" });
    expect(await asks(ours, { identity })).toMatchObject({ status: "OK" });
  });

  test.each([
    ["another program's page", answer(200, "<h1>It works!</h1>")],
    ["another program's 404", answer(404, "not found")],
    ["another program's JSON", answer(200, "{}", { "x-service": "orders" })],
  ])("%s is UNKNOWN, not down", async (_name, listener) => {
    expect(await asks(listener, { identity })).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("not our program"),
    });
  });

  test("our program's 404 is CRIT", async () => {
    const ours = answer(404, '{"orders":{"version":1}}', { "x-service": "orders" });
    expect(await asks(ours, { identity })).toMatchObject({ status: "CRIT" });
  });

  test("a gateway's 502 is CRIT although it does not carry our mark", async () => {
    expect(await asks(answer(502, "Bad Gateway"), { identity })).toMatchObject({ status: "CRIT" });
  });
});

describe("bodies", () => {
  const flood: RequestListener = (_request, response) => {
    const write = () => {
      while (response.write(Buffer.alloc(64 * 1024, "x")));
    };
    response.on("drain", write).on("error", () => {});
    write();
  };

  test("without end are cut off, and the connection is closed", async () => {
    const { url, sockets } = await serve(flood);
    const outcome = await run({ url, maxBodyBytes: 1000 });
    expect(outcome).toMatchObject({
      status: "OK",
      metrics: { body: [1000, "B"] },
      evidence: { bodyTruncatedAt: 1000 },
    });
    await expect.poll(() => sockets.size).toBe(0);
  });

  test.each([
    ["expectBody", { expectBody: "y" }],
    ["expectJson", { expectJson: { status: "ok" } }],
    ["identity", { identity: { json: ["orders"] } }],
  ])("longer than maxBodyBytes leave %s UNKNOWN", async (_name, config) => {
    expect(await asks(flood, { ...config, maxBodyBytes: 1000 })).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("maxBodyBytes"),
    });
  });

  test("that break off are CRIT", async () => {
    const outcome = await asks((_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("half");
      response.socket?.end();
    });
    expect(outcome).toMatchObject({ status: "CRIT", summary: expect.stringContaining("ECONNRESET") });
  });
});

describe("a server that hangs", () => {
  const hangs: [string, (response: ServerResponse) => void][] = [
    ["before the headers", () => {}],
    ["after the headers", (response) => response.writeHead(200).flushHeaders()],
    ["within the body", (response) => void response.write("some")],
  ];

  test.each(hangs)("%s ends with the signal, and the connection is closed", async (_name, hang) => {
    const stop = new AbortController();
    const { url, sockets } = await serve((_request, response) => {
      hang(response);
      setImmediate(() => stop.abort(new Error("the probe's time is up")));
    });
    await expect(run({ url }, { signal: stop.signal })).rejects.toThrow("the probe's time is up");
    await expect.poll(() => sockets.size).toBe(0);
  });

  test("a signal that has already fired sends nothing", async () => {
    const { url, sockets } = await serve(answer(200));
    await expect(run({ url }, { signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow("stopped");
    expect(sockets.size).toBe(0);
  });
});

describe("no answer", () => {
  test("a refused connection is CRIT", async () => {
    const server = createTcpServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    expect(await run({ url: `http://127.0.0.1:${port}` })).toMatchObject({
      status: "CRIT",
      summary: expect.stringContaining("ECONNREFUSED"),
    });
    expect(await run({ url: `http://localhost:${port}` })).toMatchObject({
      status: "CRIT",
      summary: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("a connection that is closed at once is CRIT", async () => {
    const { port } = await start(createTcpServer((socket) => socket.destroy()));
    expect(await run({ url: `http://127.0.0.1:${port}` })).toMatchObject({
      status: "CRIT",
      summary: expect.stringContaining("ECONNRESET"),
    });
  });

  test("a program that does not speak HTTP is UNKNOWN", async () => {
    const { port } = await start(createTcpServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")));
    expect(await run({ url: `http://127.0.0.1:${port}` })).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("not with valid HTTP"),
    });
  });

  test("a name that does not resolve is never OK", async () => {
    // ENOTFOUND where a resolver answers, EAI_AGAIN where none does.
    const { status, summary } = await run({ url: "http://nothing.invalid" });
    expect(
      summary.includes("ENOTFOUND") ? status === "CRIT" : summary.includes("EAI_AGAIN") && status === "UNKNOWN",
    ).toBe(true);
  });

  test("plain HTTP where TLS is expected is UNKNOWN", async () => {
    const { url } = await serve(answer(200));
    expect(await run({ url: url.replace("http:", "https:") })).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("does not speak TLS"),
    });
  });
});

const openssl = await execa("openssl", ["version"], { reject: false });
if (openssl.failed && process.env.CI)
  throw new Error("openssl is not installed; the certificate tests of the http plugin need it");
if (openssl.failed) console.warn("skipped: certificates of the http plugin, because openssl was not found");

describe.skipIf(openssl.failed)("certificates", () => {
  const DAY_MS = 86_400_000;
  let folder: string;
  let certificate: { key: string; cert: string };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "poppo-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=poppo.test", "-addext", "subjectAltName=IP:127.0.0.1"];
    await execa("openssl", [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      key,
      "-out",
      cert,
      "-days",
      "30",
      ...subject,
    ]);
    certificate = { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") };
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const serveTls = async () => `https://127.0.0.1:${(await start(createTlsServer(certificate, answer(200)))).port}`;

  test("a self-signed one is CRIT, and OK with tls.insecure, which measures its days", async () => {
    const url = await serveTls();
    expect(await run({ url })).toMatchObject({
      status: "CRIT",
      summary: expect.stringContaining("DEPTH_ZERO_SELF_SIGNED_CERT"),
    });
    const outcome = await run({ url, tls: { insecure: true } }, { now: Date.now() });
    expect(outcome.status).toBe("OK");
    expect(outcome.metrics?.certificateDaysLeft?.[0]).toBeCloseTo(30, 0);
    expect(outcome.metrics).toHaveProperty("tls");
  });

  test("a tls.ca that is not there is UNKNOWN", async () => {
    expect(await run({ url: await serveTls(), tls: { ca: "/nonexistent.pem" } })).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("/nonexistent.pem"),
    });
  });

  test("one for another name is CRIT", async () => {
    const { port } = await start(createTlsServer(certificate, answer(200)));
    const config = { url: `https://localhost:${port}`, tls: { ca: join(folder, "cert.pem") } };
    expect(await run(config)).toMatchObject({
      status: "CRIT",
      summary: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID"),
    });
  });

  test.each([
    [0, "OK"],
    [20, "WARN"],
    [28, "CRIT"],
  ])("%i days into its 30 and trusted is %s", async (days, status) => {
    const url = await serveTls();
    const trusting = { url, tls: { ca: join(folder, "cert.pem") } };
    expect(await run(trusting, { now: Date.now() + days * DAY_MS })).toMatchObject({ status });
  });
});

describe("what is sent", () => {
  test("has the method, the body and the secrets a reference names, which show nowhere", async () => {
    vi.stubEnv("POPPO_TEST_TOKEN", "Bearer hunter2");
    onTestFinished(() => void vi.unstubAllEnvs());
    let seen: unknown;
    const { url } = await serve(async (request, response) => {
      const chunks = await request.toArray();
      seen = [request.method, request.headers.authorization, Buffer.concat(chunks).toString()];
      response.writeHead(500).end("Bearer hunter2");
    });
    const outcome = await run({
      url: `${url}/?key=hunter2`,
      method: "POST",
      body: "ping",
      headers: { Authorization: "env:POPPO_TEST_TOKEN" },
    });
    expect(seen).toEqual(["POST", "Bearer hunter2", "ping"]);
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
  });

  test("is nothing while a reference names no variable: UNKNOWN", async () => {
    const { url, sockets } = await serve(answer(200));
    const outcome = await run({ url, headers: { authorization: "env:POPPO_TEST_ABSENT" } });
    expect(outcome).toMatchObject({
      status: "UNKNOWN",
      summary: expect.stringContaining("POPPO_TEST_ABSENT is not set"),
    });
    expect(sockets.size).toBe(0);
  });

  test("goes over a new connection every time, and none stays open", async () => {
    let connections = 0;
    const server = createServer(answer(200)).on("connection", () => connections++);
    const { port, sockets } = await start(server);
    await run({ url: `http://127.0.0.1:${port}`, headers: { connection: "keep-alive" } });
    await run({ url: `http://127.0.0.1:${port}`, method: "HEAD" });
    expect(connections).toBe(2);
    await expect.poll(() => sockets.size).toBe(0);
  });
});

test("a config that cannot work is refused with the option's name", () => {
  const refusal = (config: unknown) => manifest.probes.check.config.safeParse(config).error?.message ?? "";
  const url = "http://127.0.0.1";
  expect(refusal({ url: "ftp://host" })).toContain("http://");
  expect(refusal({ url: "http://user:pw@host/" })).toContain("carries a user or password");
  expect(refusal({ url, body: "x" })).toContain("method is GET");
  expect(refusal({ url, method: "HEAD", expectBody: "x" })).toContain("HEAD has none");
  expect(refusal({ url, latencyMs: { warn: 5, crit: 5 } })).toContain("warn (5) must be below crit (5)");
  expect(refusal({ url, tls: { minDaysLeft: { warn: 2, crit: 3 } } })).toContain("warn (2) must be above crit (3)");
  expect(refusal({ url, expectStatus: "ok" })).not.toBe("");
  expect(refusal({ url, headers: { a: "b\r\nc: d" } })).toContain("line breaks");
  expect(refusal({ url, expectStatu: 200 })).toContain("expectStatu");
});
