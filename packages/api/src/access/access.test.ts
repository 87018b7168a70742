import {
  type GraphQLArgument,
  type GraphQLInputType,
  GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLSchema,
  GraphQLString,
  isInputObjectType,
  isNonNullType,
  type OperationTypeNode,
} from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { enforcePolicies } from "../graphql/policy.js";
import { type TestServer, testServer } from "../http/testing/test-server.js";
import { hashToken, tokenPrefix } from "../kernel/ids.js";
import { buildSchema } from "../schema.js";
import { tokenAuthenticator } from "./authenticate-token.js";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const CREATE = `mutation($input: CreateApiTokenInput!) {
  createApiToken(input: $input) { token apiToken { id name role prefix expiresAt revokedAt } userErrors { code field } }
}`;
const create = async (input: object) => (await server.ask(CREATE, { input })).data.createApiToken;
const revoke = (id: string) =>
  server.ask(
    "mutation($id: ID!) { revokeApiToken(input: { id: $id }) { apiToken { revokedAt } userErrors { code } } }",
    { id },
  );
const viewer = (token: string) => server.ask("{ viewer { name role } }", {}, token);
const sql = (text: string, ...values: unknown[]) => server.app.database.pool.query(text, values);

describe("API tokens", () => {
  test("a token is shown once and stored as a hash", async () => {
    const { token, apiToken } = await create({ name: "ci", role: "RESPONDER", expiresIn: "1d" });
    expect(token).toMatch(/^poppo_api_[\w-]{43}$/);
    expect(token.startsWith(apiToken.prefix)).toBe(true);
    expect((await viewer(token)).data).toEqual({ viewer: { name: "ci", role: "RESPONDER" } });
    const { rows } = await sql("SELECT t::text FROM api_tokens t");
    expect(JSON.stringify(rows)).not.toContain(token);
    const events = await sql("SELECT e::text FROM events e");
    expect(JSON.stringify(events.rows)).not.toContain(token);
  });

  test("what is shown to tell tokens apart gives six random characters away, wherever an underscore stands", () => {
    expect(tokenPrefix("poppo_api_abcdefghij_klmnopqrs_tuvwxyz")).toBe("poppo_api_abcdef");
    expect(tokenPrefix("poppo_enrol______________________x")).toBe("poppo_enrol_______");
    expect(tokenPrefix("of-somebody-else")).toBe("of-s");
  });

  test("it ends when its time is over", async () => {
    const { token, apiToken } = await create({ name: "short", role: "VIEWER", expiresIn: "1m" });
    await sql("UPDATE api_tokens SET expires_at = now() WHERE id = $1", apiToken.id);
    expect(await viewer(token)).toMatchObject({ status: 401, errors: [{ extensions: { code: "UNAUTHENTICATED" } }] });
  });

  test("it ends when it is revoked, on HTTP and on the sockets that are open", async () => {
    const { token, apiToken } = await create({ name: "leaked", role: "ADMIN" });
    const socket = await server.socket(token);
    socket.subscribe("subscription { incidentEvents { cursor } }");
    await socket.next((message) => message.type === "next");
    const { data } = await revoke(apiToken.id);
    expect(data.revokeApiToken.apiToken.revokedAt).not.toBeNull();
    expect(await socket.closed).toMatchObject({ code: 4403, reason: "the token was revoked or has expired" });
    await expect.poll(async () => (await viewer(token)).status).toBe(401);
    await expect(server.socket(token)).rejects.toThrow("4403");
  });

  test("an open socket of a token that expires is closed too", async () => {
    const { token, apiToken } = await create({ name: "guest", role: "VIEWER", expiresIn: "1h" });
    const socket = await server.socket(token);
    await sql("UPDATE api_tokens SET expires_at = now() WHERE id = $1", apiToken.id);
    expect((await socket.closed).code).toBe(4403);
  });

  test("of a thousand that come with one token at once, one asks the database", async () => {
    const { token } = await create({ name: "busy", role: "VIEWER", expiresIn: "1d" });
    const authenticate = tokenAuthenticator(server.app);
    const locker = await server.app.database.pool.connect();
    await locker.query("BEGIN; LOCK TABLE api_tokens IN ACCESS EXCLUSIVE MODE");
    const callers = Array.from({ length: 1000 }, () => authenticate({ authorization: `Bearer ${token}` }));
    const asking = async () => {
      const { rows } = await locker.query(
        `SELECT count(*)::int AS count FROM pg_locks WHERE relation = 'api_tokens'::regclass AND NOT granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rows[0].count;
    };
    await expect.poll(asking).toBe(1);
    await locker.query("COMMIT");
    locker.release();
    const names = new Set((await Promise.all(callers)).map((principal) => principal?.name));
    expect(names).toEqual(new Set(["busy"]));
  });

  test("a token that was refused is looked up again", async () => {
    const authenticate = tokenAuthenticator(server.app);
    const authorization = "Bearer poppo_api_unknown-for-now";
    await expect(authenticate({ authorization })).rejects.toThrow("unknown");
    await sql(
      "INSERT INTO api_tokens (name, role, prefix, hash, created_by) VALUES ('late', 'VIEWER', '', $1, 'test')",
      hashToken("poppo_api_unknown-for-now"),
    );
    expect(await authenticate({ authorization })).toMatchObject({ name: "late" });
  });

  test("revoking twice keeps the first moment; an unknown id is not found", async () => {
    const { apiToken } = await create({ name: "twice", role: "VIEWER" });
    const first = (await revoke(apiToken.id)).data.revokeApiToken.apiToken.revokedAt;
    expect((await revoke(apiToken.id)).data.revokeApiToken.apiToken.revokedAt).toBe(first);
    const unknown = await revoke("00000000-0000-4000-8000-000000000000");
    expect(unknown.data.revokeApiToken.userErrors).toEqual([{ code: "NOT_FOUND" }]);
  });

  test("the role of enrolled agents is not given to tokens", async () => {
    const { userErrors } = await create({ name: "agent", role: "AGENT" });
    expect(userErrors).toEqual([{ code: "BAD_INPUT", field: "role" }]);
  });

  test("the list never shows a token", async () => {
    const { data } = await server.ask("{ apiTokens { nodes { name prefix } totalCount } }");
    expect(data.apiTokens.nodes[0].prefix).toBeTypeOf("string");
    expect(data.apiTokens.totalCount).toBe(data.apiTokens.nodes.length);
  });
});

describe("the first token", () => {
  test("is made once, when there is none, and shown then", async () => {
    await using first = await testServer({ adminToken: undefined });
    expect(first.firstToken).toMatch(/^poppo_api_/);
    expect((await first.ask("{ viewer { role } }", {}, first.firstToken!)).data.viewer.role).toBe("ADMIN");
    await using second = await testServer({ adminToken: undefined, database: first.database });
    expect(second.firstToken).toBeUndefined();
  });

  test("three replicas that start at once make one", async () => {
    await using first = await testServer({ adminToken: undefined });
    await first.app.database.pool.query("DELETE FROM api_tokens");
    const replicas = await Promise.all(
      Array.from({ length: 3 }, () => testServer({ adminToken: undefined, database: first.database })),
    );
    expect(replicas.filter((replica) => replica.firstToken)).toHaveLength(1);
    await Promise.all(replicas.map((replica) => replica.stop()));
  });

  test("a given one that was revoked stays revoked after a restart", async () => {
    await using first = await testServer();
    await first.app.database.pool.query("UPDATE api_tokens SET revoked_at = now()");
    await using again = await testServer({ database: first.database });
    expect((await again.ask("{ viewer { role } }")).status).toBe(401);
  });
});

describe("deny by default", () => {
  test("a root field without a policy fails the build of the schema", () => {
    const query = new GraphQLObjectType({ name: "Query", fields: { open: { type: GraphQLString } } });
    expect(() => enforcePolicies(new GraphQLSchema({ query }))).toThrow(
      "Query.open declares no policy: add @Requires(…) or @Public(…)",
    );
  });

  test("every mutation refuses a VIEWER, on both transports, before it looks at the input", async () => {
    const token = await server.tokenFor("VIEWER");
    const socket = await server.socket(token);
    for (const { document: mutation } of await documentsOf("mutation")) {
      const byHttp = await server.ask(mutation, {}, token);
      expect([mutation, byHttp.errors?.[0]?.extensions.code]).toEqual([mutation, "FORBIDDEN"]);
      const bySocket = await socket.ask(mutation);
      expect([mutation, bySocket.errors?.[0]?.extensions.code]).toEqual([mutation, "FORBIDDEN"]);
      const byNobody = await server.ask(mutation, {}, null);
      expect([mutation, byNobody.errors?.[0]?.extensions.code]).toEqual([mutation, "UNAUTHENTICATED"]);
    }
    await socket.close();
  });

  test("every query and subscription that is not public refuses nobody's request", async () => {
    const documents = [...(await documentsOf("query")), ...(await documentsOf("subscription"))];
    for (const { document } of documents) {
      const { errors } = await server.ask(document, {}, null);
      expect([document, errors?.[0]?.extensions.code]).toEqual([document, "UNAUTHENTICATED"]);
    }
  });

  test("who may not read is refused every query and subscription over WebSocket, incidentEvents among them", async () => {
    const token = "poppo_api_of-an-agent";
    const values = "('of an agent', 'AGENT', '', $1, 'test')";
    await sql(`INSERT INTO api_tokens (name, role, prefix, hash, created_by) VALUES ${values}`, hashToken(token));
    const socket = await server.socket(token);
    const documents = [...(await documentsOf("query")), ...(await documentsOf("subscription"))];
    expect(documents.map(({ name }) => name)).toContain("incidentEvents");
    for (const { document, policy } of documents) {
      if (policy === "agent:report") continue;
      const { errors } = await socket.ask(document);
      expect([document, errors?.[0]?.extensions.code]).toEqual([document, "FORBIDDEN"]);
    }
    await socket.close();
  });
});

/** One document per root field that is not public, with a value of the right form for every required argument. */
async function documentsOf(operation: OperationTypeNode | `${OperationTypeNode}`) {
  const fields = (await buildSchema()).getRootType(operation as OperationTypeNode)!.getFields();
  return Object.values(fields)
    .filter(({ extensions }) => extensions.policy !== "public")
    .map(({ name, args, type, extensions }) => ({
      name,
      policy: extensions.policy,
      document: documentOf(operation, name, args, type),
    }));
}

function documentOf(
  operation: string,
  name: string,
  args: readonly GraphQLArgument[],
  type: GraphQLOutputType,
): string {
  const given = args.filter((arg) => isNonNullType(arg.type) && arg.defaultValue === undefined);
  const list = given.map((arg) => `${arg.name}: ${sampleOf(arg.type)}`).join(", ");
  const selection = /^\[?(String|ID|Int|Float|Boolean|JSON)!?\]?!?$/.test(String(type)) ? "" : "{ __typename }";
  return `${operation} { ${name}${list && `(${list})`} ${selection} }`;
}

function sampleOf(type: GraphQLInputType): string {
  if (isNonNullType(type)) return sampleOf(type.ofType);
  if (isInputObjectType(type)) {
    const required = Object.values(type.getFields()).filter((field) => isNonNullType(field.type));
    return `{ ${required.map((field) => `${field.name}: ${sampleOf(field.type)}`).join(", ")} }`;
  }
  if ("ofType" in type) return `[${sampleOf(type.ofType as GraphQLInputType)}]`;
  if ("getValues" in type) return type.getValues()[0]!.name;
  return (
    { Int: "1", Float: "1.5", Boolean: "true", JSON: "{}", ResultBatch: "{}", OutputBatch: "{}" }[type.name] ?? '"1m"'
  );
}
