import { encodeResultBatch, type Result, type SpoolGap } from "@poppo-ops/plugins/wire";
import { expect, test, vi } from "vitest";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { systemClock } from "../kernel/clock.js";
import { newId } from "../kernel/ids.js";
import { agentsRoom } from "./agents-room.js";
import { givenState } from "./testing/given.js";
import { sql } from "./testing/sql.js";
import { connect, testAgent } from "./testing/test-agent.js";
import { result, testProbe } from "./testing/test-probes.js";

const incidents = (on: TestServer) => sql(on, "SELECT * FROM incidents ORDER BY number");
const states = (on: TestServer) => sql(on, "SELECT * FROM probe_state ORDER BY item");
const history = async (on: TestServer) =>
  (await sql(on, "SELECT seq, summary FROM probe_results ORDER BY seq")).map((row) => `${row.seq} ${row.summary}`);

/** A server, one agent with an open session, one probe, and a spool to send from. */
async function reporting(on: TestServer, probe: Record<string, unknown> = {}) {
  const probeId = await testProbe(on, { name: "load", ...probe });
  const agent = await testAgent(on, "host-a");
  const connection = await connect(on, agent);
  const first = await connection.open();
  const epoch = newId();
  const now = on.app.clock.now();
  return {
    ...{ probeId, agent, connection, first, epoch, now },
    send: (from: number, results: Result[], gaps: Parameters<typeof connection.report>[0]["gaps"] = []) =>
      connection.report({ epoch, from, results, gaps }),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

test("a failing probe raises one incident with its evidence, and its recovery resolves it", async () => {
  await using on = await testServer();
  await using spool = await reporting(on, { severity: "P1" });
  const { probeId, now } = spool;
  expect(spool.first.assignments?.probes).toMatchObject([{ probeId, kind: "system.load", intervalMs: 10_000 }]);
  const failure = { item: "web-1", summary: "exited with code 137", evidence: { exitCode: 137 } };
  const ack = await spool.send(1, [result(probeId, "CRIT", now - 2000, failure)]);
  expect(ack).toEqual({ ackedSeq: 1, window: 2, retryAfterMs: 0 });
  expect(await incidents(on)).toMatchObject([
    {
      title: "load web-1 on host-a: exited with code 137",
      severity: "P1",
      status: "TRIGGERED",
      evidence: { exitCode: 137, agent: "host-a", probe: "load", item: "web-1" },
    },
  ]);
  await spool.send(2, [result(probeId, "OK", now - 1000, { item: "web-1" })]);
  expect(await incidents(on)).toMatchObject([{ status: "RESOLVED", resolution: expect.stringContaining("recovered") }]);
  expect(await states(on)).toMatchObject([{ status: "OK", hard_status: "OK", incident_id: null }]);
});

test("a replayed batch changes nothing, and one that overlaps adds only what is new", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const rows = [1, 2, 3].map((n) => result(spool.probeId, "OK", spool.now - 3000 + n, { summary: `r${n}` }));
  await spool.send(1, rows.slice(0, 2));
  expect(await spool.send(1, rows.slice(0, 2))).toMatchObject({ ackedSeq: 2 });
  expect(await spool.send(1, rows)).toMatchObject({ ackedSeq: 3 });
  expect(await history(on)).toEqual(["1 r1", "2 r2", "3 r3"]);
});

test("a batch that leaves a hole is refused with the number that is next; a gap explains the hole and is kept", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const row = result(spool.probeId, "OK", spool.now);
  await expect(spool.send(5, [row])).rejects.toMatchObject({
    code: "OUT_OF_ORDER",
    errors: [{ extensions: { expectedSeq: 1 } }],
  });
  expect(await spool.send(5, [row], [{ from: 1, to: 4, reason: "AGE" }])).toMatchObject({ ackedSeq: 5 });
  const { data } = await on.ask('{ agent(name: "host-a") { spoolGaps { from to reason } lastSeenAt } }');
  expect(data.agent).toMatchObject({
    spoolGaps: [{ from: "1", to: "4", reason: "AGE" }],
    lastSeenAt: expect.any(String),
  });
});

test("a gap that has grown before its acknowledgement arrived is kept as it is now", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const row = result(spool.probeId, "OK", spool.now);
  await spool.send(5, [row], [{ from: 1, to: 4, reason: "AGE" }]);
  const grown = { from: 1, to: 9, reason: "AGE" as const };
  await spool.send(10, [row], [grown, { ...grown, to: 7 }]);
  expect(await sql(on, "SELECT from_seq, to_seq FROM spool_gaps")).toEqual([{ from_seq: "1", to_seq: "9" }]);
});

test("batches of two epochs under way: the second of a new epoch is refused until its first is there", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  await spool.send(1, [result(spool.probeId, "OK", spool.now)]);
  const fresh = { epoch: newId(), results: [result(spool.probeId, "OK", spool.now)] };
  await expect(spool.connection.report({ ...fresh, from: 2 })).rejects.toMatchObject({ code: "OUT_OF_ORDER" });
  expect(await spool.connection.report({ ...fresh, from: 1 })).toMatchObject({ ackedSeq: 1 });
  expect(await spool.connection.report({ ...fresh, from: 2 })).toMatchObject({ ackedSeq: 2 });
});

test("a bad batch among good ones hurts only itself", async () => {
  await using on = await testServer();
  const probeId = await testProbe(on);
  const agents = await Promise.all(["a", "b", "c", "d"].map((name) => testAgent(on, name)));
  const connections = await Promise.all(agents.map((agent) => connect(on, agent)));
  await Promise.all(connections.map((connection) => connection.open()));
  await sql(on, "UPDATE agent_sessions SET session_id = $1 WHERE agent_id = $2", [newId(), agents[2]!.id]);
  const row = [result(probeId, "OK", on.app.clock.now())];
  const outcomes = await Promise.allSettled([
    connections[0]!.report({ epoch: newId(), from: 1, results: row }),
    connections[1]!.report({ epoch: newId(), from: 9, results: row }),
    connections[2]!.report({ epoch: newId(), from: 1, results: row }),
    connections[3]!.report({ epoch: newId(), from: 1, results: [{ ...row[0]!, probeId: newId() }] }),
  ]);
  expect(outcomes).toMatchObject([
    { value: { ackedSeq: 1 } },
    { reason: { code: "OUT_OF_ORDER" } },
    { reason: { code: "SUPERSEDED" } },
    // The probe is gone: the result belongs to nothing, and the spool may let go of it.
    { value: { ackedSeq: 1 } },
  ]);
  expect(await history(on)).toEqual(["1 it is OK"]);
  await Promise.all(connections.map((connection) => connection[Symbol.asyncDispose]()));
});

test("items that would be one in the database are refused to their agent, and to nobody else", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  await using other = await connect(on, await testAgent(on, "host-b"));
  await other.open();
  const halves = ["\ud800", "\ud801"].map((item) => result(spool.probeId, "OK", spool.now, { item }));
  const outcomes = await Promise.allSettled([
    spool.send(1, halves),
    other.report({ epoch: newId(), from: 1, results: [result(spool.probeId, "OK", spool.now, { summary: "well" })] }),
  ]);
  expect(outcomes).toMatchObject([{ reason: { code: "BAD_BATCH" } }, { value: { ackedSeq: 1 } }]);
  expect(await history(on)).toEqual(["1 well"]);
});

test("a malformed batch is refused with the column and the row", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const bad = { ...result(spool.probeId, "OK", spool.now), at: -1 };
  await expect(spool.send(1, [bad])).rejects.toMatchObject({
    code: "BAD_BATCH",
    message: expect.stringContaining("at[0]"),
  });
});

test("nothing is acknowledged that is not committed", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  await sql(on, "ALTER TABLE agent_sessions ADD CONSTRAINT full_disk CHECK (acked_seq < 2)");
  await spool.send(1, [result(spool.probeId, "OK", spool.now)]);
  const failing = spool.send(2, [result(spool.probeId, "CRIT", spool.now)]);
  await expect(failing).rejects.toMatchObject({ code: "INTERNAL" });
  expect(await history(on)).toHaveLength(1);
  expect(await incidents(on)).toEqual([]);
  await sql(on, "ALTER TABLE agent_sessions DROP CONSTRAINT full_disk");
  // What the failed flush made of the state is forgotten: the same batch raises now.
  await spool.send(2, [result(spool.probeId, "CRIT", spool.now)]);
  expect(await incidents(on)).toHaveLength(1);
});

test("the connection to the database breaks under a batch: it is refused, and accepted when it is sent again", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  await spool.send(1, [result(spool.probeId, "OK", spool.now)]);
  const locker = await on.app.database.pool.connect();
  await locker.query("BEGIN; SELECT * FROM agent_sessions FOR UPDATE");
  const sent = spool.send(2, [result(spool.probeId, "CRIT", spool.now)]).catch((error) => error);
  await vi.waitFor(async () => {
    const killed = await sql(
      on,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%agent_sessions%FOR UPDATE%'`,
    );
    expect(killed.length).toBeGreaterThan(0);
  });
  await locker.query("ROLLBACK");
  locker.release();
  expect(await sent).toMatchObject({ code: "UNAVAILABLE" });
  expect(await spool.send(2, [result(spool.probeId, "CRIT", spool.now)])).toMatchObject({ ackedSeq: 2 });
  expect(await incidents(on)).toHaveLength(1);
});

test("late results are history: they neither raise nor resolve, and the newest outcome stays", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const { probeId, now } = spool;
  await spool.send(1, [result(probeId, "CRIT", now - 120_000)]);
  expect(await incidents(on)).toEqual([]);
  await spool.send(2, [result(probeId, "OK", now - 1000), result(probeId, "CRIT", now - 5000)]);
  expect(await incidents(on)).toEqual([]);
  expect(await states(on)).toMatchObject([{ status: "OK" }]);
  expect(await history(on)).toHaveLength(3);
});

test("an agent whose clock is minutes off is not late: its times are corrected", async () => {
  await using on = await testServer();
  const probeId = await testProbe(on);
  const agent = await testAgent(on, "host-a");
  const iat = Math.floor(on.app.clock.now() / 1000) - 200;
  await using connection = await connect(on, agent, await agent.assertion({ iat, exp: iat + 60 }));
  await connection.open();
  const at = on.app.clock.now() - 200_000;
  await connection.report({ epoch: newId(), from: 1, results: [result(probeId, "CRIT", at)] });
  expect(await incidents(on)).toHaveLength(1);
});

test("an agent is not late because the clock of its replica is: the database's clock counts", async () => {
  await using on = await testServer({ clock: { ...systemClock, now: () => systemClock.now() - 90_000 } });
  const probeId = await testProbe(on);
  const agent = await testAgent(on, "host-a");
  const iat = Math.floor(systemClock.now() / 1000);
  await using connection = await connect(on, agent, await agent.assertion({ iat, exp: iat + 60 }));
  await connection.open();
  const at = systemClock.now() - 1000;
  await connection.report({ epoch: newId(), from: 1, results: [result(probeId, "CRIT", at)] });
  expect(await incidents(on)).toHaveLength(1);
});

test("a result from the future does not silence the ones that follow", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  await spool.send(1, [result(spool.probeId, "OK", spool.now + 3_600_000)]);
  await spool.send(2, [result(spool.probeId, "CRIT", on.app.clock.now() + 1000)]);
  expect(await incidents(on)).toHaveLength(1);
});

test("a thing that fails, recovers and fails again within one batch has two incidents", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const rows = (["CRIT", "OK", "CRIT"] as const).map((s, i) => result(spool.probeId, s, spool.now - 3000 + i));
  await spool.send(1, rows);
  expect(await incidents(on)).toMatchObject([{ status: "RESOLVED" }, { status: "TRIGGERED" }]);
  expect((await states(on))[0]!.incident_id).toBe((await incidents(on))[1]!.id);
});

test("merged incidents resolve when the last of their causes is gone", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const { probeId, now } = spool;
  const two = (status: "CRIT" | "OK", at: number, items = ["a", "b"]) =>
    items.map((item) => result(probeId, status, at, { item }));
  await spool.send(1, two("CRIT", now - 4000));
  const [into, from] = await incidents(on);
  await on.ask("mutation ($input: MergeIncidentsInput!) { mergeIncidents(input: $input) { incident { id } } }", {
    input: { intoId: into!.id, fromIds: [from!.id] },
  });
  await spool.send(3, two("OK", now - 3000, ["a"]));
  expect(await incidents(on)).toMatchObject([{ status: "TRIGGERED" }, { status: "MERGED" }]);
  await spool.send(4, two("OK", now - 2000, ["b"]));
  expect(await incidents(on)).toMatchObject([{ status: "RESOLVED" }, { status: "MERGED" }]);
});

test("a probe that is deleted while it fails takes its incident with it, and its late results are let go", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  await spool.send(1, [result(spool.probeId, "CRIT", spool.now)]);
  await on.ask("mutation ($input: DeleteProbeInput!) { deleteProbe(input: $input) { deletedId } }", {
    input: { id: spool.probeId },
  });
  expect(await incidents(on)).toMatchObject([{ status: "RESOLVED", resolution: "load was deleted" }]);
  expect(await spool.send(2, [result(spool.probeId, "CRIT", spool.now)])).toMatchObject({ ackedSeq: 2 });
  expect(await states(on)).toEqual([]);
  await expect.poll(() => spool.connection.messages.at(-1)?.assignments?.probes).toEqual([]);
});

test("a new session knows how things stood: nothing is raised twice, and a recovery is noticed", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  await spool.send(1, [result(spool.probeId, "CRIT", spool.now - 3000)]);
  await spool.connection[Symbol.asyncDispose]();
  await using replica = await testServer({ database: on.database });
  await using again = await connect(replica, spool.agent);
  expect(await again.open()).toMatchObject({ ackedSeq: "1", ackedEpoch: spool.epoch });
  await again.report({ epoch: spool.epoch, from: 2, results: [result(spool.probeId, "CRIT", spool.now - 2000)] });
  expect(await incidents(on)).toMatchObject([{ status: "TRIGGERED", duplicate_count: 0 }]);
  await again.report({ epoch: spool.epoch, from: 3, results: [result(spool.probeId, "OK", spool.now - 1000)] });
  expect(await incidents(on)).toMatchObject([{ status: "RESOLVED" }]);
});

const FAST = { interval: "1s", retryInterval: "1s", timeout: "100ms" };

test("an item that its probe no longer mentions is gone, and so is its problem", async () => {
  await using on = await testServer();
  await using spool = await reporting(on, FAST);
  const { probeId, now } = spool;
  await spool.send(1, [
    result(probeId, "CRIT", now - 40_000, { item: "old" }),
    ...[20_000, 10_000, 0].map((agoMs) => result(probeId, "OK", now - agoMs, { item: "new" })),
  ]);
  expect(await incidents(on)).toMatchObject([{ status: "RESOLVED", resolution: "load has recovered: it is gone" }]);
  expect(await states(on)).toMatchObject([
    { item: "new", status: "OK" },
    { item: "old", status: "NOT_APPLICABLE" },
  ]);
});

test("what half a run after a pause does not mention is not gone: the other half is in the next batch", async () => {
  await using on = await testServer();
  await using spool = await reporting(on, FAST);
  const { probeId, now, agent } = spool;
  for (const item of ["a", "b"])
    await givenState(on.app, { agentId: agent.id, probeId, item, status: "CRIT", ageMs: 180_000 });
  await spool.send(1, [result(probeId, "CRIT", now - 1000, { item: "a" })]);
  expect(await states(on)).toMatchObject([
    { item: "a", status: "CRIT" },
    { item: "b", status: "CRIT" },
  ]);
});

test("while a probe sees nothing at all, what it saw before is not gone", async () => {
  await using on = await testServer();
  await using spool = await reporting(on, FAST);
  const { probeId, now } = spool;
  await spool.send(1, [
    result(probeId, "CRIT", now - 30_000, { item: "web" }),
    ...[20_000, 10_000, 2000].map((agoMs) =>
      result(probeId, "UNKNOWN", now - agoMs, { summary: "the engine does not answer" }),
    ),
  ]);
  expect(await incidents(on)).toMatchObject([{ status: "TRIGGERED" }]);
});

test("without a session results are refused, also over HTTP", async () => {
  await using on = await testServer();
  const probeId = await testProbe(on);
  await using connection = await connect(on, await testAgent(on, "host-a"));
  const batch = { epoch: newId(), from: 1, results: [result(probeId, "OK", on.app.clock.now())] };
  await expect(connection.report(batch)).rejects.toMatchObject({ code: "SUPERSEDED" });
  const { errors } = await on.ask("mutation { reportResults(batch: {}) { ackedSeq } }");
  expect(errors).toMatchObject([{ extensions: { code: "FORBIDDEN" } }]);
});

/** While the marks are locked nothing is committed: what is reported waits, and batch follows batch in this replica. */
async function stalled(on: TestServer, spool: Awaited<ReturnType<typeof reporting>>) {
  const { ingest, sessions } = agentsRoom(on.app);
  const locker = await on.app.database.pool.connect();
  await locker.query("BEGIN; SELECT * FROM agent_sessions FOR UPDATE");
  const connection = [...on.connections].find(({ principal }) => principal.id === spool.agent.id)!;
  expect(sessions.of(connection)).toBeDefined();
  return {
    report: (i: number, results: Result[], gaps: SpoolGap[] = []) =>
      ingest.report(
        { connection } as never,
        encodeResultBatch({ epoch: spool.epoch, from: 1 + i * results.length + gaps.length, results, gaps }),
      ),
    async release() {
      await locker.query("ROLLBACK");
      locker.release();
    },
  };
}

test("when the database is too slow agents are slowed down, then sent away", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const { report, release } = await stalled(on, spool);
  const rows = Array.from({ length: 1000 }, (_, i) => result(spool.probeId, "OK", spool.now + i));
  const waiting = Array.from({ length: 100 }, (_, i) => report(i, rows));
  await expect(report(100, rows)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS", details: { retryAfterMs: 2000 } });
  await release();
  const acks = await Promise.all(waiting);
  expect(acks[0]).toMatchObject({ window: 1, retryAfterMs: 500 });
  expect(acks.at(-1)).toMatchObject({ ackedSeq: 100_000, window: 2, retryAfterMs: 0 });
  expect(await sql(on, "SELECT count(*)::int FROM probe_results")).toEqual([{ count: 100_000 }]);
});

test("few results with much evidence are sent away as well: what waits is bounded in bytes", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const { report, release } = await stalled(on, spool);
  const evidence = { log: "x".repeat(16_000) };
  const rows = Array.from({ length: 800 }, () => result(spool.probeId, "CRIT", spool.now, { evidence }));
  const waiting = Array.from({ length: 5 }, (_, i) => report(i, rows));
  await expect(report(5, rows)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS", details: { retryAfterMs: 2000 } });
  await release();
  expect((await Promise.all(waiting)).at(-1)).toMatchObject({ ackedSeq: 4000 });
  expect(await report(5, rows)).toMatchObject({ ackedSeq: 4800 });
});

test("gaps without a result are sent away as well", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const { report, release } = await stalled(on, spool);
  const gaps = Array.from({ length: 1000 }, (_, i) => ({ from: i + 1, to: i + 1, reason: "AGE" as const }));
  const outcomes = Promise.allSettled(Array.from({ length: 700 }, () => report(0, [], gaps)));
  await expect(report(0, [], gaps)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });
  await release();
  expect((await outcomes)[0]).toMatchObject({ value: { ackedSeq: 1000 } });
  expect(await sql(on, "SELECT count(*)::int FROM spool_gaps")).toEqual([{ count: 1000 }]);
});

test("a probe that is deleted while its first results are written hurts only itself", async () => {
  await using on = await testServer();
  await using spool = await reporting(on);
  const other = await testProbe(on, { name: "other" });
  const deleter = await on.app.database.pool.connect();
  await deleter.query("BEGIN");
  await deleter.query("SELECT FROM probes WHERE id = $1 FOR UPDATE", [spool.probeId]);
  const sent = spool.send(1, [result(spool.probeId, "CRIT", spool.now), result(other, "CRIT", spool.now)]);
  await vi.waitFor(async () =>
    expect(
      await sql(on, "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"),
    ).toHaveLength(1),
  );
  await deleter.query("DELETE FROM probes WHERE id = $1", [spool.probeId]);
  await deleter.query("COMMIT");
  deleter.release();
  expect(await sent).toMatchObject({ ackedSeq: 2 });
  expect(await incidents(on)).toMatchObject([{ title: "other on host-a: it is CRIT" }]);
});
