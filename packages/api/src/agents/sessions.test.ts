import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { CLOSE } from "@poppo-ops/plugins/wire";
import { expect, test, vi } from "vitest";
import { testServer } from "../http/testing/test-server.js";
import { newId } from "../kernel/ids.js";
import { agentsRoom } from "./agents-room.js";
import type { AgentPrincipal } from "./authenticate-agent.js";
import { ProbeCatalogue } from "./probe-catalogue.js";
import { Sessions } from "./sessions.js";
import { sql } from "./testing/sql.js";
import { connect, enrol, enrolmentToken, testAgent } from "./testing/test-agent.js";
import { result, testProbe } from "./testing/test-probes.js";

const eventTypes = async (on: Parameters<typeof sql>[0]) =>
  (await sql(on, "SELECT type FROM events WHERE type LIKE 'agent.%' ORDER BY seq")).map((row) => row.type);

test("a session tells everything first: assignments by label and name, the lease, and how far results have come", async () => {
  await using on = await testServer();
  const everywhere = await testProbe(on, { name: "a" });
  const north = await testProbe(on, { name: "b", agentSelector: { site: "north" } });
  const named = await testProbe(on, { name: "c", agentSelector: { name: "host-a" } });
  await testProbe(on, { name: "d", agentSelector: { site: "south" } });
  await testProbe(on, { name: "e", agentSelector: { name: "host-b" } });
  await using connection = await connect(on, await testAgent(on, "host-a", { site: "north" }));
  const first = await connection.open();
  expect(first.assignments!.probes.map(({ probeId }) => probeId).sort()).toEqual([everywhere, north, named].sort());
  expect(first).toMatchObject({ leaseMs: 60_000, ackedSeq: "0", ackedEpoch: null, commands: [] });
  const { data } = await on.ask('{ agent(name: "host-a") { status connectedAt lastSeenAt } }');
  expect(data.agent).toEqual({ status: "ONLINE", connectedAt: expect.any(String), lastSeenAt: expect.any(String) });
});

test("a changed probe reaches the session, on another replica too, and an unchanged one is not sent again", async () => {
  await using on = await testServer();
  await using replica = await testServer({ database: on.database });
  const id = await testProbe(on);
  await using connection = await connect(on, await testAgent(on, "host-a"));
  await connection.open();
  await replica.ask("mutation ($input: UpdateProbeInput!) { updateProbe(input: $input) { userErrors { message } } }", {
    input: { id, interval: "20s" },
  });
  await vi.waitFor(() => expect(connection.messages).toHaveLength(2), { timeout: 5000 });
  expect(connection.messages[1]!.assignments!.probes).toMatchObject([{ probeId: id, intervalMs: 20_000, version: 2 }]);
});

test("the only probe is deleted before anything was looked at again: its agent is told", async () => {
  await using on = await testServer();
  const id = await testProbe(on);
  const { id: agentId, name } = await testAgent(on, "host-a");
  // Of its own: those of the server look whenever they like.
  const sessions = new Sessions(on.app, new ProbeCatalogue(on.app));
  const principal: AgentPrincipal = { kind: "agent", id: agentId, name, role: "AGENT", clockSkewMs: 0 };
  const connection = { id: newId(), principal, closed: new AbortController().signal, close: () => {} };
  const session = await sessions.open(connection, principal);
  expect((await session.next()).value).toMatchObject({ assignments: { probes: [{ probeId: id }] } });
  await on.ask("mutation ($input: DeleteProbeInput!) { deleteProbe(input: $input) { deletedId } }", { input: { id } });
  await sessions.step();
  expect((await session.next()).value).toMatchObject({ assignments: { probes: [] } });
});

test("the newest session wins: the older one is closed with a private code, and it is told", async () => {
  await using on = await testServer();
  const agent = await testAgent(on, "host-a");
  const probeId = await testProbe(on);
  await using older = await connect(on, agent);
  await older.open();
  await using newer = await connect(on, agent);
  await newer.open();
  expect(await older.closed).toMatchObject({ code: CLOSE.SUPERSEDED });
  await vi.waitFor(async () => expect(await eventTypes(on)).toContain("agent.superseded"));
  const batch = { epoch: newId(), from: 1, results: [result(probeId, "OK", on.app.clock.now())] };
  expect(await newer.report(batch)).toMatchObject({ ackedSeq: 1 });
  expect(await sql(on, "SELECT status FROM agents")).toEqual([{ status: "ONLINE" }]);
});

test("a request that a frozen replica finds when its connection is gone takes nothing over", async () => {
  await using on = await testServer();
  const agent = await testAgent(on, "host-a");
  await using connection = await connect(on, agent);
  await connection.open();
  const principal: AgentPrincipal = { kind: "agent", id: agent.id, name: agent.name, role: "AGENT", clockSkewMs: 0 };
  const gone = { id: newId(), principal, closed: AbortSignal.abort(), close: () => {} };
  const before = await sql(on, "SELECT session_id FROM agent_sessions");
  await expect(agentsRoom(on.app).sessions.open(gone, principal)).rejects.toMatchObject({ code: "SUPERSEDED" });
  expect(await sql(on, "SELECT session_id FROM agent_sessions")).toEqual(before);
});

test("the newest session wins across two servers, and the older one can write nothing any more", async () => {
  await using on = await testServer();
  await using replica = await testServer({ database: on.database });
  const agent = await testAgent(on, "host-a");
  const probeId = await testProbe(on);
  await using older = await connect(on, agent);
  await older.open();
  await using newer = await connect(replica, agent);
  await newer.open();
  const batch = { epoch: newId(), from: 1, results: [result(probeId, "OK", on.app.clock.now())] };
  // It is fenced at once, whenever its socket hears of it.
  await expect(older.report(batch)).rejects.toBeTruthy();
  expect(await sql(on, "SELECT * FROM probe_results")).toEqual([]);
  expect(await older.closed).toMatchObject({ code: CLOSE.SUPERSEDED });
  expect(await newer.report(batch)).toMatchObject({ ackedSeq: 1 });
  await vi.waitFor(async () => expect(await eventTypes(on)).toContain("agent.superseded"));
});

test("a session that ends leaves its agent OFFLINE, which is no incident", async () => {
  await using on = await testServer();
  const connection = await connect(on, await testAgent(on, "host-a"));
  await connection.open();
  await connection[Symbol.asyncDispose]();
  await vi.waitFor(async () => expect(await sql(on, "SELECT status FROM agents")).toEqual([{ status: "OFFLINE" }]));
  expect((await eventTypes(on)).slice(-2)).toEqual(["agent.connected", "agent.disconnected"]);
  expect(await sql(on, "SELECT * FROM incidents")).toEqual([]);
});

test("a revoked agent is closed within a second on every replica and cannot come back", async () => {
  await using on = await testServer();
  await using replica = await testServer({ database: on.database });
  const agent = await testAgent(on, "host-a");
  const probeId = await testProbe(on);
  await using connection = await connect(replica, agent);
  await connection.open();
  const batch = { epoch: newId(), from: 1, results: [result(probeId, "CRIT", on.app.clock.now())] };
  await connection.report(batch);
  await on.ask("mutation ($input: RevokeAgentInput!) { revokeAgent(input: $input) { agent { status } } }", {
    input: { id: agent.id, reason: "stolen" },
  });
  await expect(connection.report({ ...batch, from: 2 })).rejects.toBeTruthy();
  expect(await connection.closed).toMatchObject({ code: CLOSE.REVOKED });
  expect(await sql(on, "SELECT seq FROM probe_results")).toEqual([{ seq: "1" }]);
  expect(await sql(on, "SELECT status FROM incidents")).toEqual([{ status: "RESOLVED" }]);
  await using again = await connect(on, agent);
  expect(await again.closed).toMatchObject({ code: CLOSE.REVOKED, reason: expect.stringMatching(/was revoked/) });
});

test("a command reaches the session signed, once, and a new session gets it again until it has started", async () => {
  await using on = await testServer();
  const agent = await testAgent(on, "host-a");
  const probeId = await testProbe(on);
  const key = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const { serverKey } = await enrol(on, { token: await enrolmentToken(on), name: "other", publicKey: key });
  const connection = await connect(on, agent);
  await connection.open();
  const { data } = await on.ask("mutation ($input: RunProbeInput!) { runProbe(input: $input) { commandId } }", {
    input: { probeId, agentId: agent.id },
  });
  const { commandId } = data.runProbe;
  await vi.waitFor(() => expect(connection.messages).toHaveLength(2));
  const [command] = connection.messages[1]!.commands;
  expect(JSON.parse(command!.payload)).toMatchObject({
    v: 1,
    id: commandId,
    agentId: agent.id,
    kind: "RUN_PROBE",
    probeId,
  });
  const publicKey = createPublicKey({ key: serverKey as never, format: "jwk" });
  expect(verify(null, Buffer.from(command!.payload), publicKey, Buffer.from(command!.signature, "base64url"))).toBe(
    true,
  );
  await connection[Symbol.asyncDispose]();
  await using second = await connect(on, agent);
  expect((await second.open()).commands).toEqual([command]);
  const report = "mutation ($input: ReportCommandInput!) { reportCommand(input: $input) { accepted } }";
  await second.run(report, { input: { commandId, fencingToken: "0" } });
  await using third = await connect(on, agent);
  expect((await third.open()).commands).toEqual([]);
});

test("one connection may end its session and begin it anew", async () => {
  await using on = await testServer();
  const probeId = await testProbe(on);
  await using connection = await connect(on, await testAgent(on, "host-a"));
  await connection.open();
  await connection.open();
  const batch = { epoch: newId(), from: 1, results: [result(probeId, "OK", on.app.clock.now())] };
  expect(await connection.report(batch)).toMatchObject({ ackedSeq: 1 });
});

test("a person has no session", async () => {
  await using on = await testServer();
  const socket = await on.socket();
  const { errors } = await socket.ask("subscription { agentSession { leaseMs } }");
  expect(errors).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
  await socket.close();
});
