import { setMaxListeners } from "node:events";
import { createServer } from "node:http";
import { useServer } from "graphql-ws/use/ws";
import { createPubSub, createSchema, createYoga } from "graphql-yoga";
import { WebSocketServer } from "ws";
import { listen, serve } from "./serve.mjs";

// Its subscribers are listeners of one event target.
setMaxListeners(0);

const typeDefs = /* GraphQL */ `
  scalar DateTime
  scalar JSON
  type Query {
    version: String!
  }
  input EventFilter {
    serviceIds: [ID!]
  }
  type Incident {
    id: ID!
    number: Int!
    title: String!
    status: String!
    severity: String!
  }
  type Event {
    cursor: String!
    type: String!
    at: DateTime!
    actor: String!
    summary: String!
    severity: String
    payload: JSON!
    incident: Incident
  }
  type EventPage {
    events: [Event!]!
    cursor: String!
    caughtUp: Boolean!
  }
  type Subscription {
    incidentEvents(filter: EventFilter): EventPage!
  }
`;

/** graphql-yoga with graphql-ws, put together as both their documentations say; one topic per filter. */
serve(async ({ pages, filters }, onTold) => {
  const pubSub = createPubSub();
  const topic = (filter) => filter?.serviceIds?.[0] ?? "all";
  const yoga = createYoga({
    logging: false,
    schema: createSchema({
      typeDefs,
      resolvers: {
        Query: { version: () => "1" },
        Subscription: {
          incidentEvents: { subscribe: (_, { filter }) => pubSub.subscribe(topic(filter)), resolve: (page) => page },
        },
      },
    }),
  });
  const http = createServer(yoga);
  const sockets = new WebSocketServer({ server: http, path: yoga.graphqlEndpoint });
  useServer(
    {
      execute: (args) => args.rootValue.execute(args),
      subscribe: (args) => args.rootValue.subscribe(args),
      onSubscribe: async (context, _id, params) => {
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          ...context,
          req: context.extra.request,
          socket: context.extra.socket,
          params,
        });
        const args = {
          schema,
          operationName: params.operationName,
          document: parse(params.query),
          variableValues: params.variables,
          contextValue: await contextFactory(),
          rootValue: { execute, subscribe },
        };
        const errors = validate(args.schema, args.document);
        return errors.length > 0 ? errors : args;
      },
    },
    sockets,
  );
  let sent = 0;
  onTold(() => {
    const page = pages[sent++ % pages.length];
    for (const filter of filters) pubSub.publish(topic(filter), page);
  });
  return listen(http);
});
