import { createServer, type Server } from "node:http";
import type { ApolloServer } from "@apollo/server";
import { expressMiddleware } from "@as-integrations/express5";
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from "express";
import { printSchema } from "graphql";
import { isUnreachable } from "../db/database.js";
import { type Context, newContext } from "../graphql/context.js";
import { LIMITS } from "../graphql/limits.js";
import type { Operations } from "../graphql/operation.js";
import type { App } from "../kernel/app.js";
import { AppError, ERROR_CODES, type ErrorCode } from "../kernel/app-error.js";
import { newId } from "../kernel/ids.js";
import type { Principal } from "../kernel/permissions.js";
import type { Credentials } from "./authenticate.js";
import { countRequest } from "./metrics.js";
import type { UnderWay } from "./under-way.js";

export interface HttpOptions {
  app: App;
  apollo: ApolloServer<Context>;
  operations: Operations;
  authenticate(credentials: Credentials): Promise<Principal>;
  underWay: UnderWay;
  /** Adds the routes of the rooms; those that need a token begin with `identified`, after which `principalOf` knows who asks. */
  routes(web: Express, identified: RequestHandler): void;
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  UNAVAILABLE: 503,
  TOO_MANY_REQUESTS: 429,
  INTERNAL: 500,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
};

export function createHttpServer(options: HttpOptions): Server {
  const { app, apollo, operations, routes } = options;
  const identified = identify(options);
  const web = express();
  web.disable("x-powered-by");
  web.set("etag", false);
  web.use((request, response, next) => {
    countRequest(app, request, response);
    response.setHeader("X-Content-Type-Options", "nosniff");
    next();
  });
  const schema = printSchema(operations.schema);
  web.get("/schema.graphql", (_request, response) => void response.type("text/plain").send(schema));
  web.use(
    "/graphql",
    express.json({ limit: LIMITS.bodyBytes, type: ["application/json", "application/graphql-response+json"] }),
    identified,
    expressMiddleware(apollo, { context: async ({ req }) => newContext(app, principalOf(req)) }),
  );
  routes(web, identified);
  web.use(() => {
    throw new AppError("NOT_FOUND", "There is nothing at this address; the API is at /graphql.");
  });
  web.use(errorHandler(app));
  return createServer(
    {
      // Who sends a request byte by byte holds a connection for so long at most.
      headersTimeout: 10_000,
      requestTimeout: 20_000,
      connectionsCheckingInterval: 1_000,
      // Longer than a balancer's: whoever closes an idle connection just when a request arrives on it answers with a reset.
      keepAliveTimeout: 75_000,
    },
    web,
  );
}

const principals = new WeakMap<Request, Principal>();

/** Who sent the request. */
export const principalOf = (request: Request): Principal => principals.get(request)!;

/** Authenticates, and bounds what one identity (for anonymous callers, one address) may have under way. */
const identify =
  ({ authenticate, underWay }: HttpOptions): RequestHandler =>
  async (request, response, next) => {
    const principal = await authenticate({ authorization: request.headers.authorization });
    // Who left meanwhile would be counted for ever.
    if (response.closed) return;
    principals.set(request, principal);
    response.once("close", underWay.begin(principal, request.socket.remoteAddress));
    next();
  };

const errorBody = (code: ErrorCode, message: string, details: object = {}) => ({
  errors: [{ message, extensions: { ...details, code } }],
});

function errorHandler(app: App) {
  return (error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error);
    const requestId = newId();
    if (error instanceof AppError) {
      const status = STATUS[error.code] ?? 400;
      if (status === 401) response.setHeader("WWW-Authenticate", "Bearer");
      const { retryAfterMs } = error.details;
      if (typeof retryAfterMs === "number") response.setHeader("Retry-After", Math.ceil(retryAfterMs / 1000));
      return void response.status(status).json(errorBody(error.code, error.message, { ...error.details, requestId }));
    }
    // What body-parser refuses: malformed JSON (400), too large (413), an unknown encoding (415).
    const { status, expose } = error as { status?: number; expose?: boolean };
    if (expose && status)
      return void response.status(status).json(errorBody("BAD_REQUEST", badRequest(status), { requestId }));
    const code = isUnreachable(error) ? "UNAVAILABLE" : "INTERNAL";
    if (code === "INTERNAL") app.log.error({ err: error, requestId, url: withoutKey(request.url) }, "request failed");
    response.status(STATUS[code]!).json(errorBody(code, ERROR_CODES[code].meaning, { requestId }));
  };
}

/** The address of an integration ends with its key. */
const withoutKey = (url: string): string => url.replace(/(poppo_[a-z]+_)[\w-]+/g, "$1…");

const badRequest = (status: number): string =>
  status === 413
    ? `The body is larger than ${LIMITS.bodyBytes} bytes.`
    : "The body is not JSON; send application/json with a `query`.";
