import { isObjectType } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../kernel/ids.js";
import { RepairShop } from "../remediations/testing/repair-shop.js";
import { buildSchema } from "../schema.js";
import { NODE_TYPES } from "./node.resolver.js";

let shop: RepairShop;
beforeAll(async () => {
  shop = await RepairShop.open();
});
afterAll(() => shop[Symbol.asyncDispose]());

const get = (path: string) => fetch(`${shop.server.url}${path}`);
const post = (path: string, token?: string, body?: unknown) =>
  fetch(`${shop.server.url}${path}`, {
    method: "POST",
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

describe("GET /health/queue", () => {
  test("is healthy while the engine turns, and counts what waits and what runs", async () => {
    await shop.begun(await shop.probe(), "counted");
    const response = await get("/health/queue");
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: "healthy",
      pending: 0,
      running: 1,
      paused: false,
      lagMs: 0,
      modulesBehind: 0,
    });
  });
});

test("GET /api/tasks/running lists live runs without a token and without what they touch", async () => {
  const { runId } = await shop.begun(await shop.probe(), "secret-name");
  const tasks = (await (await get("/api/tasks/running")).json()) as { id: string }[];
  const task = tasks.find(({ id }) => id === runId);
  expect(task).toEqual({
    id: runId,
    kind: "docker.restart",
    status: "RUNNING",
    startedAt: expect.any(String),
    ageSeconds: expect.any(Number),
  });
});

describe("POST /api/admin", () => {
  test("needs a token that may pause", async () => {
    expect((await post("/api/admin/pause-processing")).status).toBe(401);
    const responder = await shop.server.tokenFor("RESPONDER");
    expect((await post("/api/admin/pause-processing", responder)).status).toBe(403);
    expect((await post("/api/admin/resume-processing", "poppo_api_wrong")).status).toBe(401);
  });

  test("a bare POST pauses, as the playbook writes it, and another one resumes", async () => {
    const operator = await shop.server.tokenFor("OPERATOR");
    const paused = await post("/api/admin/pause-processing", operator);
    expect(paused.status).toBe(200);
    expect(await paused.json()).toMatchObject({
      paused: true,
      owner: "operator of a test",
      reason: expect.stringContaining("without a reason"),
      until: null,
      note: expect.stringContaining("what runs already goes on"),
    });
    expect(await (await get("/health/queue")).json()).toMatchObject({ paused: true });
    expect(await (await post("/api/admin/resume-processing", operator)).json()).toMatchObject({ paused: false });
    expect((await post("/api/admin/resume-processing", operator)).status).toBe(200);
  });

  test("takes a reason, and a ttl as a duration or in seconds; a wrong one is refused", async () => {
    const token = shop.server.adminToken;
    const path = "/api/admin/pause-processing";
    const inSeconds = (await (await post(path, token, { reason: "rate limit", ttl: 3600 })).json()) as Record<
      string,
      string
    >;
    expect(inSeconds.reason).toBe("rate limit");
    expect(Date.parse(inSeconds.until!) - Date.parse(inSeconds.since!)).toBe(3_600_000);
    const asText = (await (await post(path, token, { ttl: "2h" })).json()) as Record<string, string>;
    expect(Date.parse(asText.until!) - Date.parse(asText.since!)).toBe(7_200_000);
    for (const body of [{ ttl: "soon" }, { ttl: "30d" }, { reason: 7 }, { reason: "" }])
      expect((await post(path, token, body)).status).toBe(400);
    await post("/api/admin/resume-processing", token);
  });
});

describe("node(id)", () => {
  const node = (id: string, token?: string) =>
    shop.server.ask(
      "query ($id: ID!) { node(id: $id) { __typename id ... on Incident { number service { name } } } }",
      { id },
      token,
    );

  test("knows every type that implements Node", async () => {
    const schema = await buildSchema();
    const types = schema.getPossibleTypes(schema.getType("Node") as never).filter(isObjectType);
    expect(types.map(({ name }) => name).sort()).toEqual(Object.keys(NODE_TYPES).sort());
  });

  test("finds an object of each type, with its own fields", async () => {
    const probeId = await shop.probe();
    const { incidentId, runId } = await shop.begun(probeId, "node-item");
    await shop.automate(probeId);
    const [policy] = await shop.sql("SELECT id FROM remediation_policies WHERE probe_id = $1", [probeId]);
    const { data } = await shop.server.ask('mutation { createService(input: { name: "node" }) { service { id } } }');
    const [token] = await shop.sql("SELECT id FROM api_tokens LIMIT 1");
    const ids = {
      Incident: incidentId,
      RemediationRun: runId,
      Probe: probeId,
      Agent: shop.agent.id,
      RemediationPolicy: policy!.id as string,
      Service: data.createService.service.id as string,
      ApiToken: token!.id as string,
    };
    for (const [type, id] of Object.entries(ids))
      expect((await node(id)).data.node).toMatchObject({ __typename: type, id });
    expect((await node(incidentId)).data.node.number).toEqual(expect.any(Number));
  });

  test("an unknown id is null, a token is for those who manage tokens", async () => {
    expect((await node(newId())).data.node).toBeNull();
    const [token] = await shop.sql("SELECT id FROM api_tokens LIMIT 1");
    const { errors } = await node(token!.id as string, await shop.server.tokenFor("VIEWER"));
    expect(errors![0]!.extensions.code).toBe("FORBIDDEN");
  });
});
