import { GraphQLError, type GraphQLFormattedError } from "graphql";
import type { Logger } from "pino";
import { errorCode, isUnreachable } from "../db/database.js";
import { AppError, ERROR_CODES, type ErrorCode } from "../kernel/app-error.js";

/**
 * The one form of an error on both transports: a code of docs/errors.md, a request id, and no word about the inside.
 * What we did not expect is logged with its cause and masked.
 */
export function formatError(error: unknown, requestId: string, log: Logger): GraphQLFormattedError {
  const cause = rootCause(error);
  const { locations, path } = error instanceof GraphQLError ? error : {};
  const at = { ...(locations && { locations }), ...(path && { path }) };
  const { code, message, details } = classify(cause, error);
  if (code === "INTERNAL") log.error({ err: cause, requestId, path }, "operation failed");
  return { message: shortened(message), ...at, extensions: { ...details, code, requestId } };
}

/** The code under which an error is told: what metrics count it by. */
export const codeOf = (error: unknown): ErrorCode => classify(rootCause(error), error).code;

/** PostgreSQL's words for a value that is no UUID, no number of that size, no such moment, or holds U+0000. */
const UNFIT = new Set(["22P02", "22003", "22007", "22008", "22021"]);

function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

function classify(cause: unknown, error: unknown): { code: ErrorCode; message: string; details?: object } {
  if (cause instanceof AppError) return { code: cause.code, message: cause.message, details: cause.details };
  if (cause instanceof GraphQLError) {
    const code = documentCode(cause);
    const message = code === "DOCUMENT_TOO_COMPLEX" ? complexity(cause.message) : cause.message;
    return { code, message: withoutSuggestions(message) };
  }
  if (UNFIT.has(errorCode(cause) ?? ""))
    return {
      code: "BAD_INPUT",
      message: "A value does not have the form that its field takes: ids are UUIDs, and text is free of U+0000.",
    };
  if (isUnreachable(cause)) return { code: "UNAVAILABLE", message: ERROR_CODES.UNAVAILABLE.meaning };
  // graphql-js wraps a resolver's own failure; one that carries locations and no cause is the document's fault.
  if (error instanceof GraphQLError && !error.originalError)
    return { code: "GRAPHQL_VALIDATION_FAILED", message: withoutSuggestions(error.message) };
  return {
    code: "INTERNAL",
    message: "Something went wrong on our side; the log holds the cause under this request id.",
  };
}

function documentCode(error: GraphQLError): ErrorCode {
  const given = error.extensions.code;
  if (typeof given === "string" && given in ERROR_CODES) return given as ErrorCode;
  if (error.message.startsWith("Syntax Error: Document contains more")) return "DOCUMENT_TOO_LARGE";
  // The armor rules word their refusals as syntax errors too.
  if (error.message === ABORTED || /limit of \d+ exceeded|maximum allowed number of nodes/i.test(error.message))
    return "DOCUMENT_TOO_COMPLEX";
  if (error.message.startsWith("Syntax Error")) return "GRAPHQL_PARSE_FAILED";
  if (given === "INTERNAL_SERVER_ERROR" || given === "PERSISTED_QUERY_NOT_SUPPORTED") return "BAD_REQUEST";
  return "GRAPHQL_VALIDATION_FAILED";
}

/** All that graphql-js says when comparing the fields that overlap would take too long. */
const ABORTED = "Validation aborted.";
const complexity = (message: string): string =>
  message === ABORTED
    ? "Too many fields of the document overlap: select each field once."
    : message.replace(/^Syntax Error: /, "");

/** Errors repeat what they refuse, and that may be a megabyte. */
const MAX_MESSAGE = 1000;
const shortened = (message: string): string =>
  message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message;

/** Suggestions would spell out a schema that introspection refuses. */
const withoutSuggestions = (message: string): string => message.replace(/ Did you mean .*\?$/, "");
