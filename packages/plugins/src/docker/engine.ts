import { request } from "node:http";
import { text } from "node:stream/consumers";

/** The engine answered with an error. 404: no such container. */
export class EngineError extends Error {
  override name = "EngineError";
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** No answer from the engine. `code` is the system's: ENOENT, ECONNREFUSED, EACCES … */
export class EngineUnreachable extends Error {
  override name = "EngineUnreachable";
  constructor(
    readonly socketPath: string,
    readonly code: string,
    cause: unknown,
  ) {
    super(`the Docker engine at ${socketPath} does not answer: ${code}${HINTS[code] ?? ""}`, { cause });
  }
}

const HINTS: Record<string, string> = {
  ENOENT: " (no such socket)",
  ECONNREFUSED: " (is dockerd running?)",
  EACCES: " (add the agent's user to the docker group)",
};

export interface Engine {
  /** `at` is the engine's own clock, in ms since 1970, cut to a second: no later than its now. */
  list(filters: Record<string, string[]>, signal: AbortSignal): Promise<{ listed: Listed[]; at: number }>;
  /** What it remembers, 256 events of all kinds at most. `until` must not lie ahead of its clock: it would wait. */
  oomEvents(since: number, until: number, signal: AbortSignal): Promise<OomEvent[]>;
  inspect(container: string, signal: AbortSignal): Promise<Inspected>;
  stats(id: string, signal: AbortSignal): Promise<Stats>;
  /** Raw log bytes: framed by stream, unless the container has a terminal. */
  logs(id: string, lines: number, signal: AbortSignal): Promise<Buffer>;
  start(id: string, signal: AbortSignal): Promise<void>;
  stop(id: string, timeoutSeconds: number, signal: AbortSignal): Promise<void>;
  restart(id: string, timeoutSeconds: number, signal: AbortSignal): Promise<void>;
}

/**
 * The eight calls we need of the Docker Engine API, on Node's own HTTP client. Not dockerode: it loads gRPC and
 * protobuf with itself, 17 MB of the agent's 64.
 */
export function engineAt(socketPath: string): Engine {
  const get = async (path: string, signal: AbortSignal) => (await call(socketPath, "GET", path, signal)).body;
  const post = async (path: string, signal: AbortSignal): Promise<void> => {
    await call(socketPath, "POST", path, signal);
  };
  const json = async <Content>(path: string, signal: AbortSignal) =>
    JSON.parse((await get(path, signal)).toString()) as Content;
  return {
    async list(filters, signal) {
      const path = `/containers/json?all=true&filters=${encoded(filters)}`;
      const { body, at } = await call(socketPath, "GET", path, signal);
      return { listed: JSON.parse(body.toString()) as Listed[], at };
    },
    async oomEvents(since, until, signal) {
      const filters = encoded({ type: ["container"], event: ["oom"] });
      const body = await get(`/events?since=${since / 1000}&until=${until / 1000}&filters=${filters}`, signal);
      const lines = body
        .toString()
        .split("\n")
        .filter((line) => line !== "");
      return lines.map((line) => JSON.parse(line) as OomEvent);
    },
    inspect: (container, signal) => json(`/containers/${encodeURIComponent(container)}/json`, signal),
    stats: (id, signal) => json(`/containers/${id}/stats?stream=false&one-shot=true`, signal),
    logs: (id, lines, signal) => get(`/containers/${id}/logs?stdout=true&stderr=true&tail=${lines}`, signal),
    start: (id, signal) => post(`/containers/${id}/start`, signal),
    stop: (id, timeoutSeconds, signal) => post(`/containers/${id}/stop?t=${timeoutSeconds}`, signal),
    restart: (id, timeoutSeconds, signal) => post(`/containers/${id}/restart?t=${timeoutSeconds}`, signal),
  };
}

const encoded = (filters: Record<string, string[]>): string => encodeURIComponent(JSON.stringify(filters));

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

interface Answer {
  body: Buffer;
  /** The engine's clock; NaN when it does not say. */
  at: number;
}

function call(socketPath: string, method: string, path: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // A kept-alive connection would outlive a restart of the engine.
    const sent = request(
      { socketPath, method, path, signal, agent: false, headers: { host: "docker" } },
      (response) => {
        const status = response.statusCode ?? 0;
        // 304: the container is in the wanted state already.
        if (status >= 300 && status !== 304) {
          text(response).then((body) => reject(new EngineError(status, messageOf(body))), reject);
          return;
        }
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES)
            response.destroy(new Error(`${path} answered more than ${MAX_ANSWER_BYTES} bytes`));
          else chunks.push(chunk);
        });
        const at = Date.parse(response.headers.date ?? "");
        response.on("end", () => resolve({ body: Buffer.concat(chunks), at }));
        response.on("error", reject);
      },
    );
    sent.on("error", (error: NodeJS.ErrnoException) => {
      const isOurAbort = signal.aborted || error.code === undefined;
      reject(isOurAbort ? (signal.reason ?? error) : new EngineUnreachable(socketPath, error.code as string, error));
    });
    sent.end();
  });
}

function messageOf(body: string): string {
  try {
    return (JSON.parse(body) as { message: string }).message;
  } catch {
    return body.slice(0, 200);
  }
}

/** The parts of the engine's answers that we read. */
export interface Listed {
  Id: string;
  Names: string[];
  State: string;
}

export interface OomEvent {
  Actor: { ID: string };
  /** Nanoseconds since 1970. */
  timeNano: number;
}

export interface Inspected {
  Id: string;
  Name: string;
  RestartCount: number;
  State: {
    Status: "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
    OOMKilled: boolean;
    Pid: number;
    ExitCode: number;
    Error: string;
    StartedAt: string;
    FinishedAt: string;
    Health?: { Status: string; FailingStreak: number; Log?: { ExitCode: number; Output: string }[] | null };
  };
  Config: { Image: string; Tty: boolean };
  HostConfig: {
    RestartPolicy: { Name: string; MaximumRetryCount: number };
    NanoCpus?: number;
    CpuQuota?: number;
    CpuPeriod?: number;
    CpusetCpus?: string;
  };
}

export interface Stats {
  pids_stats?: { current?: number };
  cpu_stats: { cpu_usage: { total_usage: number }; system_cpu_usage?: number; online_cpus?: number };
  memory_stats: { usage?: number; limit?: number; stats?: Record<string, number> };
  networks?: Record<string, { rx_bytes: number; tx_bytes: number }>;
}
