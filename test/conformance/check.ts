import { GraphqlSocket } from "../../packages/api/src/http/testing/graphql-socket.js";

/** The server under test: a process of its own, so that what it spends can be told from what the test spends. */
export interface Subject {
  url: string;
  token: string;
}

/** Something that is tried, and the verdict that it must end with. */
export interface Check {
  what: string;
  expected: string | RegExp;
  /** Needs the time that it is about; runs beside the others. */
  slow?: boolean;
  run(subject: Subject): Promise<string>;
}

export interface Area {
  name: string;
  /** Where its checks stand, from the root of the repository. */
  file: string;
  checks: Check[];
}

interface Refusal {
  errors?: { extensions?: { code?: string } }[];
}

/** A POST to `/graphql`. @returns its status and, of a refusal, the code */
export async function post(
  { url, token }: Subject,
  body: string | Uint8Array | object,
  headers: Record<string, string> = {},
): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  });
  return verdictOf(response.status, (await response.json()) as Refusal);
}

export function verdictOf(status: number, { errors }: Refusal): string {
  const code = errors?.[0]?.extensions?.code;
  return code ? `${status} ${code}` : String(status);
}

/** Runs with an acknowledged connection, and closes it. */
export async function withSocket<T>(subject: Subject, use: (socket: GraphqlSocket) => Promise<T>): Promise<T> {
  await using socket = await GraphqlSocket.acknowledged(subject.url, subject.token);
  return await use(socket);
}
