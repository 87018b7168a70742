import { Command } from "commander";
import type { Client } from "../client.js";
import { unwrap } from "../error.js";
import {
  CreateProbeDocument,
  DeleteProbeDocument,
  type ProbeFieldsFragment,
  type ProbeStateFieldsFragment,
  ProbeStatesDocument,
  ProbesDocument,
} from "../generated/graphql.js";
import { action } from "./cli.js";
import { probeId } from "./lookup.js";
import { listing, MAX_PAGE, readPages } from "./paging.js";
import { readProbeFile } from "./probe-file.js";
import { definitionTable, stateTable } from "./probe-view.js";
import { historyCommand } from "./probes-history.js";
import { runCommand } from "./probes-run.js";
import { disableCommand, enableCommand, updateCommand } from "./probes-update.js";

export const probesCommand = (): Command =>
  new Command("probes")
    .description("what is watched")
    .addCommand(listCommand())
    .addCommand(runCommand())
    .addCommand(historyCommand())
    .addCommand(createCommand())
    .addCommand(updateCommand())
    .addCommand(enableCommand())
    .addCommand(disableCommand())
    .addCommand(deleteCommand());

interface ListOptions {
  search?: string;
  definitions?: boolean;
}

const listCommand = (): Command =>
  listing(
    new Command("list")
      .description("probes and what they see on each agent")
      .option("--search <text>", "words in the name")
      .option("--definitions", "how they are configured instead of what they see"),
    {
      query({ client, out }, { search, definitions }: ListOptions) {
        const withStates = out.json || !definitions;
        return async (page) => {
          const { probes } = await client.request(ProbesDocument, { search, ...page });
          const states = withStates ? await statesOf(client, probes.nodes) : [];
          const seen = ({ id }: ProbeFieldsFragment) => states.filter((state) => state.probe.id === id);
          return { ...probes, nodes: probes.nodes.map((probe) => ({ ...probe, states: seen(probe) })) };
        };
      },
      show(out, probes, { definitions }) {
        if (definitions) return definitionTable(out, probes);
        stateTable(
          out,
          probes.flatMap(({ states }) => states),
        );
        const silent = probes.filter(({ states }) => states.length === 0);
        if (silent.length > 0) out.say(`Nothing seen yet: ${silent.map(({ name }) => name).join(", ")}.`);
      },
    },
  );

async function statesOf(client: Client, probes: ProbeFieldsFragment[]): Promise<ProbeStateFieldsFragment[]> {
  if (probes.length === 0) return [];
  const filter = { probeIds: probes.map(({ id }) => id) };
  const { nodes } = await readPages(
    { first: MAX_PAGE, all: true },
    async (page) => (await client.request(ProbeStatesDocument, { filter, ...page })).probeStates,
  );
  return nodes;
}

const createCommand = (): Command =>
  new Command("create")
    .description("create the probes of a YAML file: one, a list, or several documents")
    .requiredOption("-f, --file <file>", "the file, or - for stdin")
    .addHelpText(
      "after",
      "\nExample:\n  poppo-ops probes create -f probe.yaml\n\nEach plugin's sample.yaml is such a file.",
    )
    .action(
      action<[], { file: string }>(async ({ client, out }, { file }) => {
        const created: ProbeFieldsFragment[] = [];
        for (const input of await readProbeFile(client, file)) {
          const { probe } = unwrap((await client.request(CreateProbeDocument, { input })).createProbe);
          created.push(probe!);
          out.say(`Created ${probe!.name} (${probe!.kind}, every ${probe!.interval}).`);
        }
        if (out.json) out.document(created);
      }),
    );

const deleteCommand = (): Command =>
  new Command("delete")
    .description("stop watching: the probe goes, and its open incidents are resolved")
    .argument("<probe>", "name or id")
    .action(
      action<[string]>(async ({ client, out }, _options, given) => {
        const input = { id: await probeId(client, given) };
        const { deletedId } = unwrap((await client.request(DeleteProbeDocument, { input })).deleteProbe);
        if (out.json) return out.document({ deletedId });
        out.say(`Deleted ${given}.`);
      }),
    );
