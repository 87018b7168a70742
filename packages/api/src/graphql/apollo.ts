import { ApolloServer, type ApolloServerPlugin, HeaderMap } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from "@apollo/server/plugin/disabled";
import type { App } from "../kernel/app.js";
import { newId } from "../kernel/ids.js";
import type { Context } from "./context.js";
import { formatError } from "./format-error.js";
import { LIMITS } from "./limits.js";
import { asErrors, executeWithDeadline, type Operations } from "./operation.js";

/**
 * GraphQL over HTTP. Apollo speaks the protocol; the checks and the execution are the ones of `Operations`, which the
 * WebSocket layer uses too, so that no transport is the weaker one.
 */
export function createApollo(app: App, operations: Operations): ApolloServer<Context> {
  const requestIds = new WeakMap<object, string>();
  const format = (error: unknown) => formatError(error, requestIds.get(error as object) ?? newId(), app.log);
  return new ApolloServer<Context>({
    gateway: {
      onSchemaLoadOrUpdate(listener) {
        listener({ apiSchema: operations.schema, coreSupergraphSdl: "" });
        return () => {};
      },
      load: async () => ({
        executor: async ({ document, operationName, request, context }) =>
          executeWithDeadline({
            schema: operations.schema,
            document,
            operationName,
            variableValues: request.variables,
            contextValue: context as Context,
          }) as never,
      }),
      stop: async () => {},
    },
    introspection: true,
    includeStacktraceInErrorResponses: false,
    persistedQueries: false,
    allowBatchedHttpRequests: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: LIMITS.tokens },
    // `Operations` validates, once per document text.
    dangerouslyDisableValidation: true,
    formatError: (_formatted, error) => format(error),
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      checks(app, operations),
      {
        requestDidStart: async ({ contextValue }) => ({
          didEncounterErrors: async ({ errors }) => {
            for (const error of errors) requestIds.set(error, contextValue.requestId);
          },
          willSendResponse: async ({ operation, response: { body } }) =>
            app.metrics.graphql.operations.inc({
              transport: "http",
              type: operation?.operation ?? "unknown",
              outcome: String((body.kind === "single" && body.singleResult.errors?.[0]?.extensions?.code) || "ok"),
            }),
        }),
      },
    ],
    logger: {
      debug: (message) => app.log.debug(message),
      info: (message) => app.log.debug(message),
      warn: (message) => app.log.warn(message),
      error: (message) => app.log.error(message),
    },
  });
}

/** Answers in place of the execution when the document does not pass. */
const checks = (app: App, operations: Operations): ApolloServerPlugin<Context> => ({
  requestDidStart: async () => ({
    async responseForOperation({ source, request: { operationName, variables }, contextValue }) {
      try {
        operations.prepare({ query: source, operationName, variables }, contextValue);
        return null;
      } catch (error) {
        const errors = asErrors(error).map((e) => formatError(e, contextValue.requestId, app.log));
        const status = errors[0]!.extensions!.code === "INTROSPECTION_REFUSED" ? 401 : 400;
        return { http: { status, headers: new HeaderMap() }, body: { kind: "single", singleResult: { errors } } };
      }
    },
  }),
});
