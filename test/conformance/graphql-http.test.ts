import { serverAudits } from "graphql-http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestServer, testServer } from "../../packages/api/src/http/testing/test-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const audits = serverAudits({
  url: () => `${server.url}/graphql`,
  fetchFn: (input: string, init: RequestInit = {}) =>
    fetch(input, {
      ...init,
      headers: {
        // Some audits introspect, and introspection needs a token.
        authorization: `Bearer ${server.adminToken}`,
        // A GET is taken only from callers that a browser would have asked first: the protection from CSRF.
        "apollo-require-preflight": "true",
        ...init.headers,
      },
    }),
});

test.each(audits.map((audit) => [audit.name, audit] as const))("%s", async (_name, audit) => {
  const result = await audit.fn();
  expect(result.status, "reason" in result ? result.reason : "").not.toBe("error");
});
