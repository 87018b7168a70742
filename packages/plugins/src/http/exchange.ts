import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

export interface Request {
  url: string;
  method: string;
  headers: Record<string, string>;
  body?: string;
  /** PEM of the authorities to trust; absent, the public ones. */
  ca?: Buffer;
  insecure: boolean;
  maxBodyBytes: number;
  signal: AbortSignal;
}

/** Each in ms, and only if it took place: an address needs no `dns`, plain HTTP no `tls`. */
export interface Timings {
  dns?: number;
  connect?: number;
  tls?: number;
  firstByte?: number;
  latency: number;
}

export interface Response {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The body is longer than `maxBodyBytes`; `body` is its beginning. */
  isTruncated: boolean;
  /** Milliseconds since 1970; absent without TLS. */
  certificateValidTo?: number;
  timings: Timings;
}

/**
 * One request on a connection of its own, which is closed whatever happens. Not undici: the same in 3 MB of memory
 * where undici takes 19, on every host, and with the times of the connection's phases.
 * @throws what the socket, TLS or the HTTP parser says; the signal's reason when aborted
 */
export async function exchange({
  url,
  method,
  headers,
  body,
  ca,
  insecure,
  maxBodyBytes,
  signal,
}: Request): Promise<Response> {
  signal.throwIfAborted();
  const start = performance.now();
  const send = url.toLowerCase().startsWith("https:") ? httpsRequest : httpRequest;
  const request = send(url, { method, headers, agent: false, signal, ca, rejectUnauthorized: !insecure });
  const phases = watchPhases(request, start);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve).on("error", reject).end(body);
    });
    const firstByte = performance.now() - start;
    const certificateValidTo = validTo(response.socket);
    const received = await readUpTo(response, maxBodyBytes);
    return {
      status: response.statusCode as number,
      headers: response.headers,
      ...received,
      certificateValidTo,
      timings: { ...phases, firstByte, latency: performance.now() - start },
    };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    request.destroy();
  }
}

/** Fills in how long each phase of the connection took, as it goes. */
function watchPhases(request: ReturnType<typeof httpRequest>, start: number): Partial<Timings> {
  const phases: Partial<Timings> = {};
  request.once("socket", (socket: Socket) => {
    let last = start;
    const end = (phase: "dns" | "connect" | "tls") => () => {
      const now = performance.now();
      phases[phase] = now - last;
      last = now;
    };
    socket.once("lookup", end("dns"));
    socket.once("connect", end("connect"));
    socket.once("secureConnect", end("tls"));
  });
  return phases;
}

async function readUpTo(response: IncomingMessage, limit: number): Promise<Pick<Response, "body" | "isTruncated">> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) break;
  }
  return { body: Buffer.concat(chunks).subarray(0, limit), isTruncated: size > limit };
}

function validTo(socket: Socket): number | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const time = Date.parse(socket.getPeerCertificate().valid_to ?? "");
  return Number.isNaN(time) ? undefined : time;
}
