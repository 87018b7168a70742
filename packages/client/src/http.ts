import { fromGraphqlErrors, type GraphqlErrorLike, PoppoError } from "./error.js";
import type { TypedDocumentString } from "./generated/graphql.js";

/** The part of `fetch` that is used here. */
export type PostFetch = (
  url: string,
  init: { method: "POST"; headers: Record<string, string>; body: string; signal: AbortSignal },
) => Promise<{ status: number; text(): Promise<string> }>;

export interface HttpOptions {
  /** The server's base, as `http://127.0.0.1:3000`. */
  url: string;
  token?: string;
  /** Defaults to the global `fetch`; of its answer only `status` and `text()` are used. */
  fetch?: PostFetch;
  /** How long one request may take, in milliseconds. Default 30,000. */
  timeoutMs?: number;
}

export interface RequestOptions {
  signal?: AbortSignal;
}

export interface Http {
  /** @throws {PoppoError} for whatever kept the answer from coming, and for the answer's top-level errors */
  request<Data, Variables>(
    document: TypedDocumentString<Data, Variables>,
    variables?: Variables,
    options?: RequestOptions,
  ): Promise<Data>;
}

/** GraphQL over HTTP: one request, one answer. */
export function createHttp({ url, token, fetch: send = globalThis.fetch, timeoutMs = 30_000 }: HttpOptions): Http {
  const endpoint = graphqlUrl(url);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/graphql-response+json, application/json",
    ...(token && { authorization: `Bearer ${token}` }),
  };
  return {
    async request(document, variables, { signal } = {}) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const body = JSON.stringify({ query: document.toString(), variables });
      try {
        const response = await send(endpoint, {
          method: "POST",
          headers,
          body,
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        });
        return readAnswer(response.status, await response.text(), endpoint);
      } catch (error) {
        throw transportError(error, { endpoint, timeoutMs, timedOut: timeout.aborted, aborted: signal?.aborted });
      }
    },
  };
}

/**
 * `<base>/graphql`.
 * @throws {PoppoError} BAD_INPUT when the base is no http(s) address
 */
export function graphqlUrl(base: string): string {
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol))
    throw new PoppoError("BAD_INPUT", `"${base}" is not the address of a server; write it like http://127.0.0.1:3000`);
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/(graphql\/?)?$/, "")}/graphql`;
  return url.href;
}

function readAnswer<Data>(status: number, text: string, endpoint: string): Data {
  const answer = parse(text);
  if (answer?.errors?.length) throw fromGraphqlErrors(answer.errors);
  if (answer?.data) return answer.data as Data;
  const excerpt = text.replace(/\s+/g, " ").slice(0, 120);
  throw new PoppoError(
    "BAD_RESPONSE",
    `${endpoint} answered HTTP ${status} with "${excerpt}", which is no GraphQL answer`,
    {
      // A proxy in front of a restarting server answers so.
      retryable: status === 429 || (status >= 502 && status <= 504),
      details: { status },
    },
  );
}

function parse(text: string): { data?: unknown; errors?: GraphqlErrorLike[] } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

interface Attempt {
  endpoint: string;
  timeoutMs: number;
  timedOut: boolean;
  aborted?: boolean;
}

function transportError(error: unknown, { endpoint, timeoutMs, timedOut, aborted }: Attempt): PoppoError {
  if (error instanceof PoppoError) return error;
  if (aborted) return new PoppoError("ABORTED", `The request to ${endpoint} was aborted`, { cause: error });
  if (timedOut) return new PoppoError("TIMEOUT", `${endpoint} did not answer within ${timeoutMs} ms`, { cause: error });
  return new PoppoError("UNREACHABLE", `Cannot reach ${endpoint}: ${rootMessage(error)}`, { cause: error });
}

/** `fetch` hides the reason ("connect ECONNREFUSED …") behind "fetch failed". */
function rootMessage(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  // Two addresses of one name fail as an AggregateError without a message.
  const { message, code } = cause as { message?: string; code?: string };
  return message || code || String(cause);
}
