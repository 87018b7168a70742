/** A field of a mutation's input that was refused. */
export interface UserErrorLike {
  code: string;
  field?: string | null;
  message: string;
}

/** Codes this side gives to a failure that no server worded. */
export const TRANSPORT_CODES = {
  /** Nobody answers at the address. */
  UNREACHABLE: true,
  /** No answer within the time allowed. */
  TIMEOUT: true,
  /** The connection ended before the answer came; whether the server acted is unknown. */
  CONNECTION_LOST: true,
  /** Something answers, but not with GraphQL. */
  BAD_RESPONSE: false,
  /** The caller's signal. */
  ABORTED: false,
  /** The socket was closed by `close()`. */
  CLOSED: false,
} as const satisfies Record<string, boolean>;

const RETRYABLE = new Set(["SLOW_CONSUMER", "TOO_MANY_REQUESTS", "UNAVAILABLE", "DEADLINE_EXCEEDED"]);

interface Details {
  requestId?: string;
  details?: unknown;
  retryable?: boolean;
  cause?: unknown;
}

/**
 * Everything that can go wrong between here and the server, as one class.
 * `code` is one of the server's (`docs/errors.md`) or of `TRANSPORT_CODES`; `retryable` says whether the same request may succeed later.
 */
export class PoppoError extends Error {
  override name = "PoppoError";
  readonly code: string;
  /** Names the request in the server's log. */
  readonly requestId?: string;
  /** The error's other extensions, or the list of `userErrors`. */
  readonly details?: unknown;
  readonly retryable: boolean;

  constructor(code: string, message: string, { requestId, details, retryable, cause }: Details = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.requestId = requestId;
    this.details = details;
    this.retryable = retryable ?? (TRANSPORT_CODES[code as keyof typeof TRANSPORT_CODES] || RETRYABLE.has(code));
  }

  /** How long the server wants to be left alone; 0 when it did not say. */
  get retryAfterMs(): number {
    return Number((this.details as { retryAfterMs?: unknown } | undefined)?.retryAfterMs) || 0;
  }
}

/** A GraphQL error as it travels. */
export interface GraphqlErrorLike {
  message: string;
  extensions?: Readonly<Record<string, unknown>>;
}

/** The first of an answer's top-level errors, which is the one that decides. */
export function fromGraphqlErrors(errors: readonly GraphqlErrorLike[]): PoppoError {
  const { code, requestId, ...details } = errors[0]?.extensions ?? {};
  return new PoppoError(
    typeof code === "string" ? code : "INTERNAL",
    errors[0]?.message ?? "The server gave no reason.",
    {
      requestId: typeof requestId === "string" ? requestId : undefined,
      details,
    },
  );
}

/**
 * Returns a mutation's payload, or throws what the server refused.
 * @throws {PoppoError} with the code of the first of `userErrors`, and all of them in `details`
 */
export function unwrap<Payload extends { userErrors: readonly UserErrorLike[] }>(payload: Payload): Payload {
  const [first] = payload.userErrors;
  if (!first) return payload;
  const message = payload.userErrors.map((e) => (e.field ? `${e.field}: ${e.message}` : e.message)).join("\n");
  throw new PoppoError(first.code, message, { details: payload.userErrors });
}
