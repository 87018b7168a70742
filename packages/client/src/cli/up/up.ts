import { relative } from "node:path";
import { createClient } from "../../client.js";
import { credentialsPath, readCredentials, writeCredentials } from "../credentials.js";
import { CliError, EXIT } from "../failure.js";
import type { Output } from "../output.js";
import { type AgentChild, startAgentChild } from "./agent-child.js";
import { DATABASE_PASSWORD, provideProbes } from "./default-probes.js";
import { isFirstStart, prepareAgent } from "./prepare-agent.js";
import { programOf, type Ready, startServerChild } from "./server-child.js";

export interface UpOptions {
  agent: boolean;
  out: Output;
  env: NodeJS.ProcessEnv;
}

/**
 * Runs the server and the agent of this host until it is told to stop, or the server ends.
 * @throws {CliError} when the server does not start, or ends by itself
 */
export async function up({ agent, out, env }: UpOptions): Promise<void> {
  const programs = {
    server: programOf("server", "api/bin/poppo-ops-server.js"),
    agent: agent ? programOf("agent", "agent/bin/poppo-ops-agent.js") : undefined,
  };
  const server = startServerChild(programs.server, env);
  let agentChild: AgentChild | undefined;
  const stop = stopRequests(() => {
    agentChild?.kill();
    server.kill("SIGKILL");
  });
  try {
    const ready = await Promise.race([server.ready, stop.requested]);
    if (ready === "STOP") return;
    const token = await knownToken(ready, env);
    if (programs.agent) agentChild = await startAgent(programs.agent, ready, token, env);
    announce(out, ready, { token, agent });
    const end = await Promise.race([stop.requested, server.ended]);
    if (end !== "STOP") throw serverEnded(end);
  } finally {
    await agentChild?.stop();
    server.kill("SIGTERM");
    await server.ended;
    stop.release();
  }
}

/** The admin token, of this or an earlier start. The file always names the server as it runs now. */
async function knownToken(ready: Ready, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const given = env.POPPO_ADMIN_TOKEN || ready.firstRunToken;
  const saved = await readCredentials({ POPPO_DATA_DIR: ready.dataDir });
  const token = given ?? saved.token;
  if (token && (saved.token !== token || saved.url !== ready.url))
    await writeCredentials(ready.dataDir, { url: ready.url, token });
  return token;
}

async function startAgent(
  program: string,
  ready: Ready,
  token: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<AgentChild> {
  const { configFile, enrolmentToken } = await prepared(ready, token, env);
  return startAgentChild({
    program,
    configFile,
    env: {
      ...withoutTokens(env),
      ...(enrolmentToken && { POPPO_ENROLMENT_TOKEN: enrolmentToken }),
      ...(ready.database && { [DATABASE_PASSWORD]: ready.database.password }),
    },
    tell: (text) => process.stderr.write(`poppo-ops: ${text}\n`),
  });
}

/** Plugins run in the agent; what opens the server is none of their business. */
const withoutTokens = ({ POPPO_ADMIN_TOKEN: _, POPPO_TOKEN: __, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv => env;

async function prepared(ready: Ready, token: string | undefined, env: NodeJS.ProcessEnv) {
  const client = createClient({ url: ready.url, token });
  try {
    if (token) await provideProbes(client, ready, env, isFirstStart(ready.dataDir));
    return await prepareAgent(client, ready.dataDir, ready.url);
  } catch (cause) {
    const message = `The server runs, but its agent cannot be prepared: ${(cause as Error).message}`;
    const hint = `Set POPPO_ADMIN_TOKEN to a new token (it becomes an admin), check ${credentialsPath(ready.dataDir)}, or start with --no-agent.`;
    throw new CliError(EXIT.FAILED, "AGENT_NOT_PREPARED", message, hint);
  }
}

function announce(out: Output, ready: Ready, { token, agent }: { token?: string; agent: boolean }): void {
  const { url, version, dataDir, firstRunToken } = ready;
  const credentials = token && nearby(credentialsPath(dataDir));
  if (out.json) {
    out.line({ url, version, dataDir, token: firstRunToken, credentials, agent }, "");
    return;
  }
  const command = (text: string) => `    ${out.paint("cyan", text)}`;
  const lines = [
    `${out.paint("bold", `Poppo Ops ${version}`)} is ready.`,
    "",
    `  API     ${out.paint("bold", `${url}/graphql`)}`,
    firstRunToken ? `  Token   ${out.paint("bold", firstRunToken)}  (shown this once)` : undefined,
    credentials ? `  ${firstRunToken ? "        " : "Token   "}saved in ${credentials}` : undefined,
    `  Agent   ${agent ? "watches this host" : "not started"}`,
    "",
    "  Try",
    command("npx poppo-ops status"),
    command("npx poppo-ops incidents watch"),
    command("npx poppo-ops probes list"),
    "",
    "  Ctrl-C stops everything.",
  ];
  for (const line of lines) if (line !== undefined) out.say(line);
}

const nearby = (path: string): string => {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
};

const serverEnded = (end: number | string): CliError =>
  new CliError(
    typeof end === "number" && end > 0 ? end : EXIT.FAILED,
    "SERVER_ENDED",
    `The server ended unexpectedly (${typeof end === "number" ? `exit code ${end}` : end}).`,
    "Its last lines are above; start it again, nothing acknowledged is lost.",
  );

/** SIGINT and SIGTERM: the first asks, the second insists. */
function stopRequests(insist: () => void) {
  const asked = new AbortController();
  const onSignal = () => (asked.signal.aborted ? insist() : asked.abort());
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    requested: new Promise<"STOP">((resolve) => asked.signal.addEventListener("abort", () => resolve("STOP"))),
    release() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
