import { type DestinationStream, type Logger, pino } from "pino";

/** JSON lines on standard error. */
export const createLog = (level: string, to: DestinationStream = pino.destination(2)): Logger =>
  pino({ level, serializers: { err: describe } }, to);

const MESSAGE_CHARS = 500;

/**
 * A database error carries its whole client and the text of its statement, in its message and again in its stack; the log
 * needs what went wrong, and what that came from.
 */
function describe(error: unknown, depth = 0): object | undefined {
  if (!(error instanceof Error)) return error === undefined ? undefined : { message: String(error) };
  const { name: type, message, stack = "", cause } = error;
  const frames = stack.split("\n").filter((line) => line.startsWith("    at "));
  return {
    type,
    code: (error as { code?: string }).code,
    message: message.length > MESSAGE_CHARS ? `${message.slice(0, MESSAGE_CHARS)}…` : message,
    cause: depth < 3 ? describe(cause, depth + 1) : undefined,
    stack: depth === 0 ? frames.join("\n") : undefined,
  };
}
