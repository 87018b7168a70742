import { Command } from "commander";
import type { Client } from "../client.js";
import { unwrap } from "../error.js";
import { type ProbeStateFieldsFragment, ProbeStatesDocument, RunProbeDocument } from "../generated/graphql.js";
import { action, type Cli } from "./cli.js";
import { sleep } from "./clock.js";
import { CliError, EXIT, usage } from "./failure.js";
import { agentId, probeId } from "./lookup.js";
import { wholeNumber } from "./option-values.js";
import { stateTable } from "./probe-view.js";

const ASK_EVERY_MS = 300;

interface RunOptions {
  agent?: string;
  wait: boolean;
  timeout: number;
}

export const runCommand = (): Command =>
  new Command("run")
    .description("run a probe now, and show what it sees")
    .argument("<probe>", "name or id")
    .option("--agent <agent>", "name or id; needed when several run the probe")
    .option("--no-wait", "do not wait for the outcome")
    .option("--timeout <seconds>", "how long to wait", wholeNumber(1, 3600), 60)
    .addHelpText("after", "\nExample:\n  poppo-ops probes run disks --agent web-1")
    .action(
      action<[string], RunOptions>(async (cli, options, probe) => {
        const id = await probeId(cli.client, probe);
        const before = await statesOf(cli.client, id);
        const agent = options.agent ? await agentId(cli.client, options.agent) : onlyAgent(before, probe);
        const input = { probeId: id, agentId: agent };
        const { commandId } = unwrap((await cli.client.request(RunProbeDocument, { input })).runProbe);
        if (!options.wait) {
          if (cli.out.json) cli.out.document({ commandId });
          else cli.out.say(`Asked the agent to run ${probe} (command ${commandId}).`);
          return;
        }
        const after = await newer(cli, id, agent, before, options.timeout);
        if (cli.out.json) cli.out.document({ commandId, states: after });
        else stateTable(cli.out, after);
      }),
    );

const statesOf = async (client: Client, id: string, agent?: string): Promise<ProbeStateFieldsFragment[]> => {
  const filter = { probeIds: [id], agentIds: agent ? [agent] : undefined };
  return (await client.request(ProbeStatesDocument, { filter, first: 500 })).probeStates.nodes;
};

function onlyAgent(states: ProbeStateFieldsFragment[], probe: string): string {
  const agents = new Map(states.map(({ agent }) => [agent.id, agent.name]));
  const [id] = agents.keys();
  if (agents.size === 1) return id!;
  const who = agents.size === 0 ? "No agent has run it yet" : `It runs on ${[...agents.values()].join(", ")}`;
  throw usage(`${probe} needs --agent.`, `${who}; name one with --agent.`);
}

/** The agent's states of the probe once one is newer than it was. */
async function newer(
  { client, signal }: Cli,
  id: string,
  agent: string,
  before: ProbeStateFieldsFragment[],
  timeoutSeconds: number,
): Promise<ProbeStateFieldsFragment[]> {
  const last = before
    .filter((state) => state.agent.id === agent)
    .reduce((at, state) => Math.max(at, Date.parse(state.lastAt)), 0);
  for (let waitedMs = 0; waitedMs < timeoutSeconds * 1000 && !signal.aborted; waitedMs += ASK_EVERY_MS) {
    const states = await statesOf(client, id, agent);
    if (states.some((state) => Date.parse(state.lastAt) > last)) return states;
    await sleep(ASK_EVERY_MS, signal);
  }
  throw signal.aborted
    ? new CliError(EXIT.INTERRUPTED, "INTERRUPTED", "Interrupted.")
    : new CliError(
        EXIT.FAILED,
        "NO_OUTCOME",
        `No outcome within ${timeoutSeconds} s.`,
        "Is the agent online? See `poppo-ops agents list`.",
      );
}
