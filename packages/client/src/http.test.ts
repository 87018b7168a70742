import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { GraphQLError } from "graphql";
import { expect, test } from "vitest";
import { unwrap } from "./error.js";
import { ReportResultsDocument, ViewerDocument } from "./generated/graphql.js";
import { createHttp, graphqlUrl } from "./http.js";
import { startFakeServer } from "./testing/fake-server.js";

async function answering(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("sends the token and returns the data", async () => {
  await using server = await startFakeServer({
    roots: { viewer: () => ({ kind: "token", name: "ana", role: "ADMIN" }) },
  });
  const data = await createHttp({ url: server.url, token: "secret" }).request(ViewerDocument);
  expect(data.viewer).toEqual({ kind: "token", name: "ana", role: "ADMIN" });
  expect(server.requests).toMatchObject([{ operation: "Viewer", authorization: "Bearer secret" }]);
});

test("throws the server's own error with its code, request id and details", async () => {
  const extensions = { code: "TOO_MANY_REQUESTS", requestId: "r-1", retryAfterMs: 500 };
  await using server = await startFakeServer({
    roots: {
      reportResults() {
        throw new GraphQLError("slow down", { extensions });
      },
    },
  });
  await expect(createHttp(server).request(ReportResultsDocument, { batch: {} })).rejects.toMatchObject({
    name: "PoppoError",
    code: "TOO_MANY_REQUESTS",
    message: "slow down",
    requestId: "r-1",
    details: { retryAfterMs: 500 },
    retryable: true,
  });
});

test("says what answered when it was not GraphQL", async () => {
  await using server = await answering((_, response) => response.writeHead(404).end("<h1>Not here</h1>"));
  await expect(createHttp(server).request(ViewerDocument)).rejects.toMatchObject({
    code: "BAD_RESPONSE",
    message: `${server.url}/graphql answered HTTP 404 with "<h1>Not here</h1>", which is no GraphQL answer`,
    retryable: false,
  });
});

test("a proxy before a restarting server is worth another try", async () => {
  await using server = await answering((_, response) => response.writeHead(502).end("Bad gateway"));
  await expect(createHttp(server).request(ViewerDocument)).rejects.toMatchObject({
    code: "BAD_RESPONSE",
    retryable: true,
  });
});

test("names the reason when nobody listens", async () => {
  const { url } = await answering(() => {}).then(async (server) => {
    await server[Symbol.asyncDispose]();
    return server;
  });
  await expect(createHttp({ url }).request(ViewerDocument)).rejects.toMatchObject({
    code: "UNREACHABLE",
    message: expect.stringContaining("ECONNREFUSED"),
    retryable: true,
  });
});

test("gives up on a server that never answers, and obeys the caller's signal", async () => {
  await using server = await answering(() => {});
  await expect(createHttp({ ...server, timeoutMs: 20 }).request(ViewerDocument)).rejects.toMatchObject({
    code: "TIMEOUT",
  });
  await expect(createHttp(server).request(ViewerDocument, {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: "ABORTED",
    retryable: false,
  });
});

test("takes the base address with or without a path, and refuses what is none", () => {
  expect(graphqlUrl("http://h:3000")).toBe("http://h:3000/graphql");
  expect(graphqlUrl("https://h/ops/")).toBe("https://h/ops/graphql");
  expect(graphqlUrl("http://h/graphql")).toBe("http://h/graphql");
  expect(() => graphqlUrl("localhost:3000")).toThrow('"localhost:3000" is not the address of a server');
});

test("unwrap throws all user errors as one, with the code of the first", () => {
  const fine = { userErrors: [], incident: 1 };
  expect(unwrap(fine)).toBe(fine);
  const userErrors = [
    { code: "BAD_INPUT", field: "title", message: "is empty" },
    { code: "CONFLICT", field: null, message: "already resolved" },
  ];
  expect(() => unwrap({ userErrors })).toThrow("title: is empty\nalready resolved");
});
