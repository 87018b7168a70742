import type { Command } from "commander";
import { type Client, type ClientOptions, createClient } from "../client.js";
import type { SocketState } from "../connection.js";
import { now } from "./clock.js";
import { readCredentials } from "./credentials.js";
import { CliError, EXIT, usage } from "./failure.js";
import { createOutput, type Output } from "./output.js";

/** Options every command takes. */
export interface GlobalOptions {
  url?: string;
  token?: string;
  json?: boolean;
  color: boolean;
}

/** What a command works with. */
export interface Cli {
  client: Client;
  /** The server's base address. */
  url: string;
  out: Output;
  /** Ctrl-C. */
  signal: AbortSignal;
  /** A remark for the person at the terminal, on stderr; nothing when nobody sits there. */
  remark(text: string): void;
}

type Run<Arguments extends unknown[], Options> = (cli: Cli, options: Options, ...given: Arguments) => Promise<void>;

/** Makes a commander action of a command: connects, runs, closes; Ctrl-C aborts what is under way. */
export const action =
  <Arguments extends unknown[], Options = Record<string, never>>(run: Run<Arguments, Options>) =>
  async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const interrupt = interruption();
    const cli = await openCli(command.optsWithGlobals<GlobalOptions>(), interrupt.signal);
    try {
      await run(cli, given.at(-2) as Options, ...(given.slice(0, -2) as Arguments));
      if (interrupt.signal.aborted) throw new CliError(EXIT.INTERRUPTED, "INTERRUPTED", "Interrupted.");
    } finally {
      interrupt.release();
      await cli.client.close();
    }
  };

async function openCli(options: GlobalOptions, signal: AbortSignal): Promise<Cli> {
  const saved = options.url && options.token ? {} : await readCredentials(process.env);
  const url = options.url ?? saved.url ?? defaultUrl(process.env);
  // A saved token belongs to the server it was saved for; another server must not learn it.
  const token = options.token ?? (!saved.url || sameServer(url, saved.url) ? saved.token : undefined);
  const remark = (text: string) => void (process.stderr.isTTY && process.stderr.write(`${text}\n`));
  const client = connect({ url, token, onState: tellReconnects(remark) });
  const request: Client["request"] = (document, variables, { signal: own = signal } = {}) =>
    client.request(document, variables, { signal: own });
  return { client: { ...client, request }, url, out: outputFor(options), signal, remark };
}

function connect(options: ClientOptions): Client {
  try {
    return createClient(options);
  } catch (error) {
    throw usage((error as Error).message, "Correct --url or POPPO_URL.");
  }
}

export const outputFor = ({ json = false, color }: GlobalOptions): Output =>
  createOutput({
    json,
    now: now(),
    color: color && Boolean(process.stdout.isTTY) && !process.env.NO_COLOR,
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
    write: (text) => void process.stdout.write(text),
  });

const defaultUrl = ({ POPPO_HOST: host = "127.0.0.1", POPPO_PORT: port = "3000" }: NodeJS.ProcessEnv): string =>
  `http://${reachable(host)}:${port}`;

/** "Every address" is where a server listens, not where it is reached. */
const reachable = (host: string): string =>
  host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;

function sameServer(a: string, b: string): boolean {
  const host = (url: string) =>
    URL.canParse(url) ? new URL(url).host.replace(/^(localhost|\[::1\])(?=:|$)/, "127.0.0.1") : url;
  return host(a) === host(b);
}

function tellReconnects(remark: (text: string) => void): (state: SocketState) => void {
  let lost = false;
  return ({ kind, code, final }) => {
    if (kind === "closed" && code !== 1000 && !final && !lost) {
      lost = true;
      remark("connection lost, reconnecting…");
    }
    if (kind === "connected" && lost) {
      lost = false;
      remark("connected again");
    }
  };
}

/** The first Ctrl-C asks the command to end; the second ends the process. */
function interruption() {
  const abort = new AbortController();
  const onSignal = () => {
    if (abort.signal.aborted) process.exit(EXIT.INTERRUPTED);
    abort.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: abort.signal,
    release() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
