import { ApolloServer, type ApolloServerPlugin } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from "@apollo/server/plugin/disabled";
import { GraphQLError } from "graphql";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import type { Context } from "./context.js";
import { formatError } from "./format-error.js";
import { checkLength, LIMITS, limitRules } from "./limits.js";
import { executeWithDeadline, type Operations } from "./operation.js";

/**
 * GraphQL over HTTP. Apollo speaks the protocol; the checks and the execution are the ones of `Operations`, which the
 * WebSocket layer uses too, so that no transport is the weaker one.
 */
export function createApollo(app: App, operations: Operations): ApolloServer<Context> {
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
    validationRules: limitRules,
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      checks(operations),
      errorForm(app),
    ],
    logger: {
      debug: (message) => app.log.debug(message),
      info: (message) => app.log.debug(message),
      warn: (message) => app.log.warn(message),
      error: (message) => app.log.error(message),
    },
  });
}

/** What Apollo's own steps do not check. */
const checks = (operations: Operations): ApolloServerPlugin<Context> => ({
  async requestDidStart() {
    return {
      async didResolveSource({ source }) {
        rethrow(() => checkLength(source));
      },
      async didResolveOperation({ source, request, contextValue }) {
        rethrow(() =>
          operations.prepare(
            { query: source, operationName: request.operationName, variables: request.variables },
            contextValue,
          ),
        );
      },
    };
  },
});

/** Apollo masks whatever is not a GraphQLError before `formatError` of ours could see it. */
function rethrow(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new GraphQLError(error.message, {
      originalError: error,
      extensions: { code: error.code, http: { status: error.code === "INTROSPECTION_REFUSED" ? 401 : 400 } },
    });
  }
}

const errorForm = (app: App): ApolloServerPlugin<Context> => ({
  async requestDidStart({ contextValue }) {
    return {
      async willSendResponse({ response, errors }) {
        if (response.body.kind !== "single" || !errors?.length) return;
        response.body.singleResult.errors = errors.map((error) => formatError(error, contextValue.requestId, app.log));
      },
    };
  },
});
