/**
 * Every code a client can meet, with what it means and what to do. `docs/errors.md` is checked against this table.
 * `expected` refusals become `userErrors` of a mutation's payload; the others are top-level GraphQL errors.
 */
export const ERROR_CODES = {
  UNAUTHENTICATED: {
    expected: false,
    meaning: "No token was sent, or it is unknown, expired or revoked.",
    action: "Send `Authorization: Bearer <token>`; make a token with `poppo-ops tokens create`.",
  },
  FORBIDDEN: {
    expected: false,
    meaning: "The token's role does not include the permission named in the message.",
    action: "Use a token of a role that includes it.",
  },
  BAD_REQUEST: {
    expected: false,
    meaning: "The HTTP or WebSocket request is not a GraphQL request.",
    action: "Send JSON with a `query`.",
  },
  GRAPHQL_PARSE_FAILED: {
    expected: false,
    meaning: "The document is not GraphQL.",
    action: "Correct the syntax at the location given.",
  },
  GRAPHQL_VALIDATION_FAILED: {
    expected: false,
    meaning: "The document does not fit the schema.",
    action: "Compare it with `/schema.graphql`.",
  },
  DOCUMENT_TOO_LARGE: {
    expected: false,
    meaning: "The document has too many characters or tokens.",
    action: "Split it.",
  },
  DOCUMENT_TOO_COMPLEX: {
    expected: false,
    meaning: "Depth, aliases, directives, root fields or cost exceed the limit named in the message.",
    action: "Ask for less, or page.",
  },
  INTROSPECTION_REFUSED: {
    expected: false,
    meaning: "Introspection needs a token.",
    action: "Authenticate, or read `/schema.graphql`.",
  },
  DEADLINE_EXCEEDED: {
    expected: false,
    meaning: "The operation ran longer than its deadline and was given up.",
    action: "Ask for less, or page.",
  },
  TOO_MANY_REQUESTS: {
    expected: false,
    meaning: "The limit of the socket or of the principal is reached.",
    action: "Wait `retryAfterMs`, then try again.",
  },
  SLOW_CONSUMER: {
    expected: false,
    meaning: "The subscriber read too slowly and was cut off; `lastCursor` says where.",
    action: "Subscribe again with `after: lastCursor`.",
  },
  UNAVAILABLE: {
    expected: false,
    meaning: "The database cannot be reached or does not keep up, or the server is stopping.",
    action: "Try again; nothing was acknowledged.",
  },
  INTERNAL: {
    expected: false,
    meaning: "A bug. The log holds the cause under the `requestId`.",
    action: "Report it with the `requestId`.",
  },
  BAD_INPUT: {
    expected: true,
    meaning: "A field of the input has a value that is not allowed.",
    action: "Correct the field named.",
  },
  NOT_FOUND: { expected: true, meaning: "There is no object with that id.", action: "Check the id." },
  CONFLICT: {
    expected: true,
    meaning: "The object's state does not allow the act, or somebody was faster.",
    action: "Read the object again.",
  },
  ALREADY_EXISTS: {
    expected: true,
    meaning: "The name is taken.",
    action: "Choose another, or update the existing object.",
  },
  IN_USE: {
    expected: true,
    meaning: "Something else refers to the object.",
    action: "Remove what refers to it first.",
  },
  TOKEN_INVALID: {
    expected: true,
    meaning: "The enrolment token is unknown, used or expired, or does not allow that name.",
    action: "Make a new one with `poppo-ops agents enrol`.",
  },
  CLOCK_SKEW: {
    expected: false,
    meaning: "An agent's clock is too far off to tell whether its assertion is fresh.",
    action: "Set the clock of that host (NTP). The agent connects by itself afterwards.",
  },
  BAD_BATCH: {
    expected: false,
    meaning: "A result or output batch is malformed; the message names the column and row.",
    action: "Do not send the same bytes again.",
  },
  BAD_PAYLOAD: {
    expected: false,
    meaning: "What was sent to an integration cannot be read; the message names the place and the reason.",
    action: "Compare it with the page of that integration in `docs/integrations`.",
  },
  PAYLOAD_TOO_LARGE: {
    expected: false,
    meaning: "What was sent to an integration is larger than the limit named in the message.",
    action: "Group more finely, so that less is sent at once.",
  },
  OUT_OF_ORDER: {
    expected: false,
    meaning: "A batch begins after the next expected sequence number; `expectedSeq` says which.",
    action: "Send from `expectedSeq`.",
  },
  SUPERSEDED: {
    expected: false,
    meaning: "A newer connection of the same agent took over.",
    action: "Stop the older agent.",
  },
  REFUSED_BY_POLICY: {
    expected: true,
    meaning: "The remediation safety policy refuses; the message names the rule.",
    action: "Satisfy the rule, or change the policy.",
  },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A refusal that is part of the contract: it has a code of `docs/errors.md` and a message that says what to do. */
export class AppError extends Error {
  override name = "AppError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}
