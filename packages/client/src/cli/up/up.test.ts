import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Client, createClient } from "../../client.js";
import { type FakeServer, startFakeServer } from "../../testing/fake-server.js";
import { connection, id, probe } from "../../testing/sample-data.js";
import { startAgentChild } from "./agent-child.js";
import { provideProbes } from "./default-probes.js";
import { isFirstStart, prepareAgent } from "./prepare-agent.js";
import { startServerChild } from "./server-child.js";

let folder: string;
let server: FakeServer;
let client: Client;
let probes: ReturnType<typeof probe>[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "poppo-up-"));
  probes = [];
  const save = (input: { id?: string }) => {
    const saved = probe({ id: id(probes.length), ...input });
    probes = [...probes.filter((other) => other.id !== saved.id), saved];
    return { probe: saved, userErrors: [] };
  };
  server = await startFakeServer({
    roots: {
      probes: () => connection(probes),
      createProbe: ({ input }: { input: object }) => save(input),
      updateProbe: ({ input }: { input: { id: string } }) =>
        save({ ...probes.find((p) => p.id === input.id), ...input }),
      createEnrolmentToken: () => ({ token: "once", userErrors: [] }),
    },
  });
  client = createClient({ url: server.url });
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

const ready = (port: number) => ({
  url: `http://127.0.0.1:${port}`,
  version: "0.1.0",
  dataDir: folder,
  database: { host: "/sockets", port: 5432, user: "poppo", password: "secret", database: "poppo" },
});
const names = () => probes.map(({ name }) => name).sort();

test("a first start creates the default probes, and completes an interrupted one", async () => {
  await provideProbes(client, ready(1), {}, true);
  const all = names();
  expect(all).toEqual(expect.arrayContaining(["cpu", "containers", "poppo-ops server", "poppo-ops database"]));
  probes = probes.slice(0, 3);
  await provideProbes(client, ready(1), {}, true);
  expect(names()).toEqual(all);
});

test("the database's password is not told to the server", async () => {
  await provideProbes(client, ready(1), {}, true);
  expect(JSON.stringify(server.requests)).not.toContain("secret");
});

test("a later start brings nothing back that was deleted, and follows the server to another port", async () => {
  await provideProbes(client, ready(1), {}, true);
  probes = probes.filter(({ name }) => name !== "cpu");
  await provideProbes(client, ready(2), {}, false);
  expect(names()).not.toContain("cpu");
  expect(probes.find(({ name }) => name === "poppo-ops server")).toMatchObject({
    config: { url: "http://127.0.0.1:2/health" },
  });
  expect(server.asked("UpdateProbe")).toHaveLength(1);
});

test("a server that has other probes keeps them alone", async () => {
  probes = [probe({ name: "mine" })];
  await provideProbes(client, ready(1), {}, true);
  expect(names()).toEqual(["mine"]);
});

test("the agent gets a config file of its owner's, and a token until it is enrolled", async () => {
  expect(isFirstStart(folder)).toBe(true);
  const { configFile, enrolmentToken } = await prepareAgent(client, folder, "http://127.0.0.1:1");
  expect(isFirstStart(folder)).toBe(false);
  expect(enrolmentToken).toBe("once");
  expect((await stat(configFile)).mode & 0o777).toBe(0o600);
  expect(await readFile(configFile, "utf8")).not.toContain("once");
  await writeFile(configFile, "# mine\nserver: http://127.0.0.1:1\nname: kept\n");
  await writeFile(join(folder, "agent", "identity.json"), "{}");
  expect(await prepareAgent(client, folder, "http://127.0.0.1:2")).toEqual({ configFile });
  expect(await readFile(configFile, "utf8")).toBe("# mine\nserver: http://127.0.0.1:2\nname: kept\n");
});

async function program(source: string): Promise<string> {
  const path = join(folder, "program.mjs");
  await writeFile(path, source);
  return path;
}

test("an agent that crashes is started again; one that was revoked is not", async () => {
  const told: string[] = [];
  const source = `import { existsSync, writeFileSync } from "node:fs";
    const mark = ${JSON.stringify(join(folder, "mark"))};
    if (existsSync(mark)) process.exit(4);
    writeFileSync(mark, "");
    process.kill(process.pid, "SIGKILL");`;
  const agent = startAgentChild({
    program: await program(source),
    configFile: "x",
    env: process.env,
    tell: (text) => told.push(text),
  });
  await vi.waitFor(() => expect(told).toHaveLength(2), { timeout: 10_000 });
  expect(told[0]).toContain("unexpectedly (SIGKILL)");
  expect(told[1]).toContain("revoked");
  await agent.stop();
});

test("stopping lets the agent drain", async () => {
  const done = join(folder, "drained");
  const source = `import { writeFileSync } from "node:fs";
    process.on("SIGTERM", () => setTimeout(() => { writeFileSync(${JSON.stringify(done)}, "yes"); process.exit(0); }, 50));
    writeFileSync(${JSON.stringify(`${done}.up`)}, ""); setInterval(() => {}, 1000);`;
  const agent = startAgentChild({ program: await program(source), configFile: "x", env: process.env, tell: () => {} });
  await vi.waitFor(() => readFile(`${done}.up`), { timeout: 10_000 });
  await agent.stop();
  expect(await readFile(done, "utf8")).toBe("yes");
});

test("a server that cannot start is quoted; one that dies without a word is named", async () => {
  const refusing = `process.send({ type: "failed", code: "PORT_TAKEN", message: "Port 3000 is taken" }, () => process.exit(1));`;
  await expect(startServerChild(await program(refusing), process.env).ready).rejects.toMatchObject({
    exitCode: 1,
    code: "PORT_TAKEN",
    message: "Port 3000 is taken",
  });
  await expect(startServerChild(await program("process.exit(7)"), process.env).ready).rejects.toThrow("exit code 7");
});
