import fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";
import { serve } from "./serve.mjs";

const schema = /* GraphQL */ `
  input IncidentFilter {
    status: String
  }
  type Service {
    name: String!
    owner: String!
  }
  type Event {
    type: String!
    at: String!
    actor: String!
    summary: String!
  }
  type Incident {
    id: ID!
    number: Int!
    title: String!
    status: String!
    severity: String!
    category: String!
    assignee: String
    lastSeenAt: String!
    service: Service
    lastEvent: Event
  }
  type PageInfo {
    hasNextPage: Boolean!
  }
  type IncidentConnection {
    nodes: [Incident!]!
    pageInfo: PageInfo!
  }
  type Query {
    incidents(filter: IncidentFilter, first: Int!): IncidentConnection!
  }
`;

/** mercurius with JIT and its own loaders, and the statements its author would write: one per list and one per field of it. */
serve(async ({ databaseUrl }) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const inOrder = (ids, rows) => {
    const byId = new Map(rows.map((row) => [row.key, row]));
    return ids.map((id) => byId.get(id) ?? null);
  };
  const app = fastify();
  app.register(mercurius, {
    schema,
    jit: 1,
    resolvers: {
      Query: {
        incidents: async (_, { filter, first }) => {
          const { rows } = await pool.query(
            `SELECT id, number, title, status, severity, category, assignee, service_id AS "serviceId",
               last_seen_at AS "lastSeenAt" FROM incidents WHERE status = $1 ORDER BY number DESC LIMIT $2`,
            [filter.status, first + 1],
          );
          return { nodes: rows.slice(0, first), pageInfo: { hasNextPage: rows.length > first } };
        },
      },
      Incident: { lastSeenAt: ({ lastSeenAt }) => lastSeenAt.toISOString() },
      Event: { at: ({ at }) => at.toISOString() },
    },
    loaders: {
      Incident: {
        async service(queries) {
          const ids = queries.map(({ obj }) => obj.serviceId);
          const { rows } = await pool.query("SELECT id AS key, name, owner FROM services WHERE id = ANY($1)", [ids]);
          return inOrder(ids, rows);
        },
        async lastEvent(queries) {
          const ids = queries.map(({ obj }) => obj.id);
          const { rows } = await pool.query(
            `SELECT wanted.id AS key, e.* FROM unnest($1::uuid[]) AS wanted(id) CROSS JOIN LATERAL
               (SELECT type, at, actor, summary FROM events WHERE incident_id = wanted.id ORDER BY seq DESC LIMIT 1) e`,
            [ids],
          );
          return inOrder(ids, rows);
        },
      },
    },
  });
  return `${await app.listen({ port: 0, host: "127.0.0.1" })}/graphql`;
});
