import { relative } from "node:path";
import { createClient } from "../../client.js";
import { credentialsPath, readCredentials, writeCredentials } from "../credentials.js";
import { CliError, EXIT } from "../failure.js";
import type { Output } from "../output.js";
import { type AgentChild, exitOf, startAgentChild } from "./agent-child.js";
import { DATABASE_PASSWORD, provideProbes } from "./default-probes.js";
import { isFirstStart, prepareAgent } from "./prepare-agent.js";
import { type Ready, startServerChild } from "./server-child.js";

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
  const stop = stopRequests();
  const { child: server, ready } = await startServerChild(env);
  const serverEnd = exitOf(server);
  let agentChild: AgentChild | undefined;
  stop.onSecond(() => {
    agentChild?.kill();
    server.kill("SIGKILL");
  });
  try {
    const token = await knownToken(ready, env);
    if (agent && !stop.requested()) agentChild = await startAgent(ready, token, env);
    announce(out, ready, { token, agent: agentChild !== undefined });
    const end = await Promise.race([stop.first, serverEnd]);
    if (end !== "STOP") throw serverEnded(end);
  } finally {
    await agentChild?.stop();
    server.kill("SIGTERM");
    await serverEnd;
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
  ready: Ready,
  token: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<AgentChild | undefined> {
  const { configFile, enrolmentToken } = await prepared(ready, token, env);
  return startAgentChild(
    configFile,
    {
      ...withoutTokens(env),
      ...(enrolmentToken && { POPPO_ENROLMENT_TOKEN: enrolmentToken }),
      ...(ready.database && { [DATABASE_PASSWORD]: ready.database.password }),
    },
    (text) => process.stderr.write(`poppo-ops: ${text}\n`),
  );
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
  const credentials = token && relative(process.cwd(), credentialsPath(dataDir));
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

const serverEnded = (end: number | string): CliError =>
  new CliError(
    typeof end === "number" && end > 0 ? end : EXIT.FAILED,
    "SERVER_ENDED",
    `The server ended unexpectedly (${typeof end === "number" ? `exit code ${end}` : end}).`,
    "Its last lines are above; start it again, nothing acknowledged is lost.",
  );

/** SIGINT and SIGTERM: the first asks, the second insists. */
function stopRequests() {
  let requested = false;
  let insist = () => {};
  let ask = () => {};
  const first = new Promise<"STOP">((resolve) => {
    ask = () => resolve("STOP");
  });
  const onSignal = () => {
    if (requested) insist();
    requested = true;
    ask();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    first,
    requested: () => requested,
    onSecond(act: () => void) {
      insist = act;
    },
    release() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
