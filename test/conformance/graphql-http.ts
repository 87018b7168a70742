import { serverAudits } from "graphql-http";
import type { Area, Check, Subject } from "./check.js";

/** The audits of the GraphQL over HTTP working group: https://github.com/graphql/graphql-http#audits */
export const graphqlOverHttp: Area = {
  name: "GraphQL over HTTP",
  file: "test/conformance/graphql-http.ts",
  checks: auditsOf({ url: "", token: "" }).map(
    ({ name }, i): Check => ({
      what: name,
      expected: /^(ok|notice|warn)/,
      async run(subject) {
        const result = await auditsOf(subject)[i]!.fn();
        return "reason" in result ? `${result.status}: ${result.reason}` : result.status;
      },
    }),
  ),
};

function auditsOf({ url, token }: Subject) {
  return serverAudits({
    url: `${url}/graphql`,
    fetchFn: (input: string, init: RequestInit = {}) =>
      fetch(input, {
        ...init,
        headers: {
          // Some audits introspect, and introspection needs a token.
          authorization: `Bearer ${token}`,
          // A GET is taken only from callers that a browser would have asked first: the protection from CSRF.
          "apollo-require-preflight": "true",
          ...init.headers,
        },
      }),
  });
}
