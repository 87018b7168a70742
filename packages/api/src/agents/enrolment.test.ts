import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { testServer } from "../http/testing/test-server.js";
import { sql } from "./testing/sql.js";
import { enrol, enrolmentToken } from "./testing/test-agent.js";

const newKey = () => generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });

test("an agent is enrolled once per token, with the token's labels, and learns the server's key", async () => {
  await using on = await testServer();
  const token = await enrolmentToken(on, { labels: { site: "north" } });
  const first = await enrol(on, { token, name: "host-a", publicKey: newKey(), facts: { platform: "linux" } });
  expect(first).toMatchObject({ agent: { id: expect.any(String) }, userErrors: [] });
  expect(first.serverKey).toEqual({ kty: "OKP", crv: "Ed25519", x: expect.any(String) });
  const second = await enrol(on, { token, name: "host-b", publicKey: newKey() });
  expect(second).toMatchObject({
    agent: null,
    userErrors: [{ code: "TOKEN_INVALID", message: expect.stringMatching(/was used/) }],
  });
  const { data } = await on.ask('{ agent(name: "host-a") { status labels facts version } }');
  expect(data.agent).toEqual({
    status: "OFFLINE",
    labels: { site: "north" },
    facts: { platform: "linux" },
    version: "test",
  });
  expect(await sql(on, "SELECT type FROM events WHERE type LIKE 'agent.%' ORDER BY seq")).toEqual([
    { type: "agent.enrolment_token_created" },
    { type: "agent.enrolled" },
  ]);
});

test("two hosts race with one token: one of them is enrolled", async () => {
  await using on = await testServer();
  const token = await enrolmentToken(on);
  const outcomes = await Promise.all(
    ["host-a", "host-b", "host-c"].map((name) => enrol(on, { token, name, publicKey: newKey() })),
  );
  expect(outcomes.filter(({ agent }) => agent)).toHaveLength(1);
  expect(await sql(on, "SELECT id FROM agents")).toHaveLength(1);
});

test("a host whose answer was lost asks again with the same key and gets the same agent", async () => {
  await using on = await testServer();
  const request = { token: await enrolmentToken(on), name: "host-a", publicKey: newKey() };
  const [first, again] = [await enrol(on, request), await enrol(on, request)];
  expect(again).toEqual(first);
  expect(await sql(on, "SELECT id FROM agents")).toHaveLength(1);
});

test.each([
  ["expired", {}, "UPDATE enrolment_tokens SET expires_at = now() - interval '1 s'", /expired at/],
  ["for other names", { namePattern: "web-?*" }, "SELECT", /agents named "web-\?\*", which "host-a" is not/],
  ["for names with the glob's own characters", { namePattern: "host%" }, "SELECT", /which "host-a" is not/],
])("a token that is %s is refused, says why, and is not used up", async (_, input, change, reason) => {
  await using on = await testServer();
  const token = await enrolmentToken(on, input);
  await sql(on, change);
  const { agent, userErrors } = await enrol(on, { token, name: "host-a", publicKey: newKey() });
  expect(agent).toBeNull();
  expect(userErrors).toMatchObject([{ code: "TOKEN_INVALID", field: "token", message: expect.stringMatching(reason) }]);
  expect(await sql(on, "SELECT used_at FROM enrolment_tokens")).toEqual([{ used_at: null }]);
});

test("a pattern admits the names it describes", async () => {
  await using on = await testServer();
  const token = await enrolmentToken(on, { namePattern: "web-??.*" });
  expect(await enrol(on, { token, name: "web-01.north", publicKey: newKey() })).toMatchObject({ userErrors: [] });
});

test("an unknown token is refused", async () => {
  await using on = await testServer();
  const { userErrors } = await enrol(on, { token: "poppo_enrol_x", name: "host-a", publicKey: newKey() });
  expect(userErrors).toMatchObject([{ code: "TOKEN_INVALID", message: expect.stringMatching(/is unknown/) }]);
});

test("a taken name is refused with what to do, the token stays good, and a revoked agent frees its name", async () => {
  await using on = await testServer();
  const first = await enrol(on, { token: await enrolmentToken(on), name: "host-a", publicKey: newKey() });
  const token = await enrolmentToken(on);
  const taken = await enrol(on, { token, name: "host-a", publicKey: newKey() });
  expect(taken.userErrors).toMatchObject([
    { code: "ALREADY_EXISTS", message: expect.stringMatching(/Revoke it first/) },
  ]);
  await on.ask("mutation ($input: RevokeAgentInput!) { revokeAgent(input: $input) { agent { id } } }", {
    input: { id: first.agent!.id },
  });
  expect(await enrol(on, { token, name: "host-a", publicKey: newKey() })).toMatchObject({ userErrors: [] });
});

const ed25519 = generateKeyPairSync("ed25519");
test.each([
  ["a private key", ed25519.privateKey.export({ format: "jwk" }), /private part `d`/],
  ["another curve", generateKeyPairSync("x25519").publicKey.export({ format: "jwk" }), /crv is "X25519"/],
  [
    "another kind",
    generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }),
    /kty is "EC"/,
  ],
  ["half a key", { kty: "OKP", crv: "Ed25519", x: "AAAA" }, /32 bytes/],
])("%s is no public key of an agent", async (_, publicKey, reason) => {
  await using on = await testServer();
  const { userErrors } = await enrol(on, { token: await enrolmentToken(on), name: "host-a", publicKey });
  expect(userErrors).toMatchObject([{ code: "BAD_INPUT", field: "publicKey", message: expect.stringMatching(reason) }]);
});

test("only an administrator makes tokens, and not for longer than a week", async () => {
  await using on = await testServer();
  const mutation =
    "mutation ($for: Duration) { createEnrolmentToken(input: { expiresIn: $for }) { token userErrors { message } } }";
  const refused = await on.ask(mutation, {}, await on.tokenFor("OPERATOR"));
  expect(refused.errors).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
  const { data } = await on.ask(mutation, { for: "8d" });
  expect(data.createEnrolmentToken).toMatchObject({
    token: null,
    userErrors: [{ message: expect.stringMatching(/1m to 7d/) }],
  });
});

test("replicas that start together have one signing key", async () => {
  await using on = await testServer();
  await using replica = await testServer({ database: on.database });
  const keys = [on, replica].map(async (server, i) => {
    const { serverKey } = await enrol(server, {
      token: await enrolmentToken(server),
      name: `h${i}`,
      publicKey: newKey(),
    });
    return serverKey;
  });
  const [first, second] = await Promise.all(keys);
  expect(second).toEqual(first);
});
