import { homedir } from "node:os";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { environment, readConfig } from "./config.js";

test("nothing given: loopback, port 3000, the embedded database in .poppo", () => {
  expect(readConfig({})).toEqual({
    host: "127.0.0.1",
    port: 3000,
    dataDir: resolve(".poppo"),
    connectionsPerSecond: 500,
    logLevel: "info",
  });
});

test("what is given is read; what is empty is not given", () => {
  const config = readConfig({
    POPPO_HOST: "0.0.0.0",
    POPPO_PORT: "0",
    POPPO_DATA_DIR: "~/poppo",
    POPPO_ADMIN_TOKEN: "0123456789abcdef",
    DATABASE_URL: "postgres://u:p@db/poppo",
    NATS_URL: "nats://a:4222,nats://b:4222",
    POPPO_CONNECTIONS_PER_SECOND: "50",
    POPPO_LOG_LEVEL: "",
  });
  expect(config).toEqual({
    host: "0.0.0.0",
    port: 0,
    dataDir: resolve(homedir(), "poppo"),
    adminToken: "0123456789abcdef",
    databaseUrl: "postgres://u:p@db/poppo",
    natsUrl: "nats://a:4222,nats://b:4222",
    connectionsPerSecond: 50,
    logLevel: "info",
  });
});

test.each([
  ["POPPO_PORT", "x", 'POPPO_PORT is "x"; allowed: a whole number from 0 to 65535.'],
  ["POPPO_PORT", "65536", 'POPPO_PORT is "65536"; allowed: a whole number from 0 to 65535.'],
  ["POPPO_PORT", "3e3", 'POPPO_PORT is "3e3"'],
  [
    "POPPO_CONNECTIONS_PER_SECOND",
    "0",
    'POPPO_CONNECTIONS_PER_SECOND is "0"; allowed: a whole number from 1 to 999999.',
  ],
  [
    "POPPO_ADMIN_TOKEN",
    "0123456789 abcdef",
    "POPPO_ADMIN_TOKEN is (not shown); allowed: at least 16 printable ASCII characters without spaces.",
  ],
  ["POPPO_ADMIN_TOKEN", "0123456789abcdéf", "POPPO_ADMIN_TOKEN is (not shown)"],
  ["POPPO_LOG_LEVEL", "loud", 'POPPO_LOG_LEVEL is "loud"; allowed: fatal, error, warn, info, debug, trace, silent.'],
  [
    "DATABASE_URL",
    "mysql://u:hunter2@db/x",
    'DATABASE_URL is "mysql://(not shown)@db/x"; allowed: a URL that begins with',
  ],
  ["NATS_URL", "localhost:4222", 'NATS_URL is "localhost:4222"; allowed: URLs that begin with nats:// or tls://'],
  ["NATS_URL", "wss://a", 'NATS_URL is "wss://a"; allowed'],
  ["NATS_URL", "nats://a,nats://b:99999", 'NATS_URL is "nats://a,nats://b:99999"; allowed'],
  [
    "NATS_URL",
    "nats://u:hunter2@a,nats://u:hunter2@",
    'NATS_URL is "nats://(not shown)@a,nats://(not shown)@"; allowed',
  ],
  ["POPPO_ADMIN_TOKEN", "hunter2", "POPPO_ADMIN_TOKEN is (not shown); allowed: at least 16 printable ASCII characters"],
])("%s=%s is refused by name, value and what is allowed, without a secret", (name, value, message) => {
  expect(() => readConfig({ [name]: value })).toThrow(expect.objectContaining({ code: "BAD_INPUT" }));
  expect(() => readConfig({ [name]: value })).toThrow(message);
  expect(() => readConfig({ [name]: value })).not.toThrow(/hunter2/);
});

test("every variable that is wrong is named at once", () => {
  expect(() => readConfig({ POPPO_PORT: "x", POPPO_LOG_LEVEL: "y" })).toThrow(
    /POPPO_PORT is "x".*POPPO_LOG_LEVEL is "y"/,
  );
});

test.each([
  ["POPPO_PROT", "POPPO_PORT"],
  ["POPPO_DATADIR", "POPPO_DATA_DIR"],
  ["POPPO_ADMIN_TOKENS", "POPPO_ADMIN_TOKEN"],
  ["POPPO_LOGLEVEL", "POPPO_LOG_LEVEL"],
])("%s is refused: did you mean %s?", (wrong, right) => {
  expect(() => readConfig({ [wrong]: "1" })).toThrow(`${wrong} is not known; did you mean ${right}?`);
});

test("variables of other programs are left alone", () => {
  const others = { POPPO_TOKEN: "x", POPPO_URL: "x", POPPO_ENROLMENT_TOKEN: "x", POPPO_DASHBOARD_PORT: "x", PORT: "x" };
  expect(readConfig(others).port).toBe(3000);
});

test("docs/configuration.md is true; `vitest run packages/api/src/config.test.ts -u` writes it anew", async () => {
  const defaults = environment.parse({}) as Record<string, unknown>;
  const rows = Object.entries(environment.shape).map(([name, schema]) => {
    const { description, allowed } = schema.meta()!;
    const byDefault = name === "POPPO_DATA_DIR" ? ".poppo" : defaults[name];
    return `| \`${name}\` | ${byDefault === undefined ? "–" : `\`${byDefault}\``} | ${allowed} | ${description} |`;
  });
  const page = `# Configuration

The server reads these environment variables. A wrong value stops the start: the message names the variable, its value and
what is allowed. So does a variable that is nearly one of these (\`POPPO_PROT\`: did you mean \`POPPO_PORT\`?). An empty
variable counts as absent.

| Variable | Default | Allowed | Meaning |
|---|---|---|---|
${rows.join("\n")}
`;
  await expect(page).toMatchFileSnapshot("../../../docs/configuration.md");
});
