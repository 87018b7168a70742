import { generateKeyPairSync } from "node:crypto";
import { CLOSE } from "@poppo-ops/plugins/wire";
import { expect, test } from "vitest";
import { testServer } from "../http/testing/test-server.js";
import { systemClock } from "../kernel/clock.js";
import { newId } from "../kernel/ids.js";
import { type Claims, connect, testAgent } from "./testing/test-agent.js";
import { UsedIds } from "./used-ids.js";

const seconds = () => Math.floor(systemClock.now() / 1000);

test("an assertion opens one connection; used again it is refused", async () => {
  await using on = await testServer();
  const agent = await testAgent(on, "host-a");
  const assertion = await agent.assertion();
  await using first = await connect(on, agent, assertion);
  await first.open();
  await using second = await connect(on, agent, assertion);
  expect(await second.closed).toMatchObject({ code: CLOSE.REVOKED, reason: expect.stringMatching(/used before/) });
});

const cases: [what: string, claims: () => Claims, reason: RegExp][] = [
  ["of another agent", () => ({ sub: newId() }), /"sub" claim/],
  ["for another server", () => ({ aud: "other" }), /"aud" claim/],
  ["that is valid for too long", () => ({ exp: seconds() + 3600 }), /valid for 36\d\d s; 60 s is the limit/],
  [
    "of long ago",
    () => ({ iat: seconds() - 1000, exp: seconds() - 940 }),
    /100\d s behind, 300 s is the limit: check NTP/,
  ],
  [
    "of times to come",
    () => ({ iat: seconds() + 900, exp: seconds() + 960 }),
    /(900|899|898) s ahead, 300 s is the limit: check NTP/,
  ],
  ["without an id", () => ({ jti: undefined }), /"jti" claim/],
];
test.each(cases)("an assertion %s is refused and says why", async (_, claims, reason) => {
  await using on = await testServer();
  const agent = await testAgent(on, "host-a");
  await using connection = await connect(on, agent, await agent.assertion(claims()));
  // A clock can be set right: only what can never work again is final.
  const code = reason.source.includes("NTP") ? CLOSE.TRY_LATER : CLOSE.REVOKED;
  expect(await connection.closed).toMatchObject({ code, reason: expect.stringMatching(reason) });
});

test("an assertion signed by another key is refused", async () => {
  await using on = await testServer();
  const agent = await testAgent(on, "host-a");
  const forged = await agent.assertion({}, generateKeyPairSync("ed25519").privateKey);
  await using connection = await connect(on, agent, forged);
  expect(await connection.closed).toMatchObject({ code: CLOSE.REVOKED, reason: expect.stringMatching(/signature/) });
});

test("a clock that is minutes off is tolerated", async () => {
  await using on = await testServer();
  const agent = await testAgent(on, "host-a");
  const assertion = await agent.assertion({ iat: seconds() - 240, exp: seconds() - 180 });
  await using connection = await connect(on, agent, assertion);
  expect(await connection.open()).toMatchObject({ leaseMs: 60_000 });
});

test("an agent nobody enrolled, and credentials that are none, are refused", async () => {
  await using on = await testServer();
  const agent = await testAgent(on, "host-a");
  await using unknown = await connect(on, { ...agent, id: newId() });
  expect(await unknown.closed).toMatchObject({ reason: expect.stringMatching(/there is no agent/) });
  await using nonsense = await connect(on, { ...agent, id: "1" });
  expect(await nonsense.closed).toMatchObject({ reason: expect.stringMatching(/not \{ id, assertion \}/) });
});

test("used ids are kept until they expire, and never more than the bound", () => {
  let now = 1000;
  const used = new UsedIds({ ...systemClock, now: () => now }, 3);
  expect(used.add("a", 2000)).toBe(true);
  expect(used.add("a", 2000)).toBe(false);
  now = 3000;
  expect(used.add("b", 4000)).toBe(true);
  expect(used.add("a", 4000)).toBe(true);
  expect(["c", "d"].map((id) => used.add(id, 4000))).toEqual([true, true]);
  expect(used.add("b", 4000)).toBe(true);
});
