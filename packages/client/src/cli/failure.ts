import { CommanderError } from "commander";
import { PoppoError } from "../error.js";

/** What the shell sees. Told in `--help` and docs. */
export const EXIT = {
  OK: 0,
  FAILED: 1,
  USAGE: 2,
  NOT_AUTHENTICATED: 3,
  UNREACHABLE: 4,
  NOT_FOUND: 5,
  INTERRUPTED: 130,
} as const;

export const EXIT_CODES_HELP = `
Exit codes:
  0    done
  1    the operation failed or was refused
  2    wrong usage
  3    not authenticated, or not allowed
  4    the server cannot be reached
  5    not found
  130  interrupted`;

/** A failure that a command words itself: what, and what to do about it. */
export class CliError extends Error {
  override name = "CliError";
  constructor(
    readonly exitCode: number,
    readonly code: string,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

export const usage = (message: string, hint = "See --help."): CliError =>
  new CliError(EXIT.USAGE, "USAGE", message, hint);

export const notFound = (what: string, hint: string): CliError =>
  new CliError(EXIT.NOT_FOUND, "NOT_FOUND", `There is no ${what}.`, hint);

export interface Failure {
  exitCode: number;
  code: string;
  message: string;
  hint: string;
  requestId?: string;
}

const START = "Start it with `npm start`, or name another with --url or POPPO_URL.";
const TOKEN = "Give a token with --token or POPPO_TOKEN; an admin makes one with `poppo-ops tokens create`.";

/** Codes whose exit code or advice is not that of a plain refusal. */
const KNOWN: Record<string, [exitCode: number, hint: string]> = {
  UNREACHABLE: [EXIT.UNREACHABLE, START],
  TIMEOUT: [EXIT.UNREACHABLE, "Try again; if it stays so, look at the server's log."],
  CONNECTION_LOST: [EXIT.UNREACHABLE, "Try again."],
  UNAVAILABLE: [EXIT.UNREACHABLE, "Try again in a moment; `curl <url>/health` says more."],
  BAD_RESPONSE: [EXIT.UNREACHABLE, "Check --url: something else may listen there."],
  UNAUTHENTICATED: [EXIT.NOT_AUTHENTICATED, TOKEN],
  FORBIDDEN: [EXIT.NOT_AUTHENTICATED, "Use a token of a role that may do this."],
  NOT_FOUND: [EXIT.NOT_FOUND, "List what there is with the `list` command."],
  ABORTED: [EXIT.INTERRUPTED, ""],
  CONFLICT: [EXIT.FAILED, "Look at its state again; it may have changed meanwhile."],
  TOO_MANY_REQUESTS: [EXIT.FAILED, "Wait a little and try again."],
  GRAPHQL_VALIDATION_FAILED: [EXIT.FAILED, "The server is of another version than this program; use the same one."],
  INTERNAL: [EXIT.FAILED, "Look for the request id in the server's log."],
};

/** Any thrown thing as what to print and how to exit. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliError) return { ...error, message: error.message, hint: error.hint ?? "" };
  if (error instanceof CommanderError)
    return {
      exitCode: EXIT.USAGE,
      code: "USAGE",
      message: error.message.replace(/^error: /, "").replaceAll("\n", " "),
      hint: "See --help.",
    };
  if (error instanceof PoppoError) {
    // Only the server knows its cursors, but that one is none was typed wrongly.
    if (error.code === "BAD_INPUT" && (error.details as { field?: string } | undefined)?.field === "after")
      return { exitCode: EXIT.USAGE, code: error.code, message: `--${error.message}`, hint: "See --help." };
    // The document is ours, a variable's value is the user's; both are refused with one code.
    const isVariable = /^Variable "\$/.test(error.message);
    const [exitCode, hint] = (!isVariable && KNOWN[error.code]) || [
      EXIT.FAILED,
      "Correct what is named and try again.",
    ];
    return { exitCode, code: error.code, message: error.message, hint, requestId: error.requestId };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: EXIT.FAILED, code: "FAILED", message, hint: "" };
}

/** One line what, one line what to do; with `--json` one JSON document. */
export function describe({ exitCode, ...failure }: Failure, json: boolean): string {
  const { code, message, hint, requestId } = failure;
  if (json) return JSON.stringify({ error: { code, message, hint: hint || undefined, requestId, exitCode } });
  const id = requestId && code === "INTERNAL" ? ` (request ${requestId})` : "";
  return [`poppo-ops: ${message}${id}`, hint].filter(Boolean).join("\n");
}
