import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestServer, testServer } from "../http/testing/test-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

test("a resolution is no part of acknowledging, and is refused instead of dropped", async () => {
  const { errors } = await server.ask(
    'mutation { acknowledgeIncidents(input: { ids: [], resolution: "restarted" }) { incidents { id } } }',
  );
  expect(errors![0]!.message).toContain('"resolution" is not defined by type "AcknowledgeIncidentsInput"');
});
