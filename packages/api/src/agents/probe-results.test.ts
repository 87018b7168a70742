import { afterAll, beforeAll, expect, test } from "vitest";
import type { GraphqlSocket } from "../http/testing/graphql-socket.js";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { newId } from "../kernel/ids.js";
import { type AgentConnection, connect, testAgent } from "./testing/test-agent.js";
import { result, testProbe } from "./testing/test-probes.js";

let on: TestServer;
let probeId: string;
let agent: AgentConnection;
let seq = 0;
const epoch = newId();
beforeAll(async () => {
  on = await testServer();
  probeId = await testProbe(on, { name: "load" });
  agent = await connect(on, await testAgent(on, "host-a"));
  await agent.open();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await on[Symbol.asyncDispose]();
});

async function report(...results: ReturnType<typeof result>[]): Promise<void> {
  await agent.report({ epoch, from: seq + 1, results });
  seq += results.length;
}

const RESULTS = `query ($filter: ProbeResultFilter!, $first: Int, $after: String) {
  probeResults(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { at status summary item durationMs metrics { name value unit } agent { name } } } }`;

test("a probe's results are paged from the newest on, each once, within the time and the conditions given", async () => {
  const now = on.app.clock.now();
  const minutes = [5, 4, 3, 2, 1];
  await report(
    ...minutes.map((m) => result(probeId, m === 3 ? "WARN" : "OK", now - m * 60_000, { item: "/", summary: `m${m}` })),
    result(probeId, "OK", now - 2 * 3_600_000, { summary: "two hours ago" }),
  );
  const read = async (filter: object, page: object = {}) => {
    const { data, errors } = await on.ask(RESULTS, { filter: { probeId, ...filter }, ...page });
    return { errors, ...data?.probeResults, seen: data?.probeResults.nodes.map((n: { summary: string }) => n.summary) };
  };
  const first = await read({}, { first: 3 });
  expect(first).toMatchObject({ totalCount: 5, seen: ["m1", "m2", "m3"], pageInfo: { hasNextPage: true } });
  expect(first.nodes[2]).toMatchObject({
    ...{ status: "WARN", item: "/", durationMs: 3, agent: { name: "host-a" } },
    metrics: [{ name: "load", value: 1.5, unit: "1" }],
  });
  const second = await read({}, { first: 3, after: first.pageInfo.endCursor });
  expect(second).toMatchObject({ seen: ["m4", "m5"], pageInfo: { hasNextPage: false } });
  expect((await read({ statuses: ["WARN"] })).seen).toEqual(["m3"]);
  expect((await read({ agentIds: [newId()] })).seen).toEqual([]);
  const at = (m: number) => new Date(now - m * 60_000).toISOString();
  expect((await read({ since: at(3), until: at(1) })).seen).toEqual(["m2", "m3"]);
  expect((await read({ since: at(180), item: "" })).seen).toEqual(["two hours ago"]);
  expect((await read({}, { after: "made-up" })).errors[0].extensions).toMatchObject({ code: "BAD_INPUT" });
});

const LIVE = `subscription ($filter: ProbeStateFilter) {
  probeResults(filter: $filter) { item status summary probe { name } incident { severity } } }`;
type State = { item: string; status: string; summary: string; probe: { name: string }; incident: object | null };
const pagesOf = (socket: GraphqlSocket, id: string): State[][] =>
  socket.received.flatMap((m) => (m.id === id && m.type === "next" ? [m.payload.data.probeResults] : []));

test("a live reader is told where things stand and then only what is new, also by another replica", async () => {
  await using replica = await testServer({ database: on.database });
  await using socket = await replica.socket();
  const watched = await testProbe(on, { name: "disk", severity: "P1" });
  const now = on.app.clock.now();
  await report(
    result(watched, "OK", now - 3000, { item: "/" }),
    result(watched, "OK", now - 3000, { item: "/var" }),
    result(probeId, "OK", now - 3000),
  );
  const id = socket.subscribe(LIVE, { filter: { probeIds: [watched] } });
  await expect
    .poll(() => pagesOf(socket, id).flat())
    .toMatchObject([
      { item: "/", status: "OK", probe: { name: "disk" }, incident: null },
      { item: "/var", status: "OK", incident: null },
    ]);
  await report(
    result(watched, "CRIT", now - 2000, { item: "/var", summary: "full" }),
    result(probeId, "OK", now - 2000),
  );
  await expect
    .poll(() => pagesOf(socket, id).at(-1), { timeout: 5000 })
    .toMatchObject([{ item: "/var", status: "CRIT", summary: "full", incident: { severity: "P1" } }]);
  expect(
    pagesOf(socket, id)
      .flat()
      .filter(({ item }) => item === "/"),
  ).toHaveLength(1);
});

test("what a probe is called now is told, not what it was called when the reader came", async () => {
  await using socket = await on.socket();
  const renamed = await testProbe(on, { name: "before" });
  const now = on.app.clock.now();
  await report(result(renamed, "OK", now - 3000));
  const id = socket.subscribe(LIVE, { filter: { probeIds: [renamed] } });
  await expect.poll(() => pagesOf(socket, id).at(-1)).toMatchObject([{ probe: { name: "before" } }]);
  await on.ask("mutation ($input: UpdateProbeInput!) { updateProbe(input: $input) { userErrors { message } } }", {
    input: { id: renamed, name: "after" },
  });
  await report(result(renamed, "WARN", now - 1000));
  await expect
    .poll(() => pagesOf(socket, id).at(-1), { timeout: 5000 })
    .toMatchObject([{ status: "WARN", probe: { name: "after" } }]);
});

test("a filter that fits nothing yet is answered at once, and a reader without a token is refused", async () => {
  await using socket = await on.socket();
  expect(await socket.ask(LIVE, { filter: { probeIds: [newId()] } })).toEqual({ data: { probeResults: [] } });
  const { errors } = await on.ask(RESULTS, { filter: { probeId } }, null);
  expect(errors![0]!.extensions.code).toBe("UNAUTHENTICATED");
});
