import { Command } from "commander";
import { unwrap } from "../error.js";
import {
  CreateProbeDocument,
  DeleteProbeDocument,
  type ProbeFieldsFragment,
  ProbeStatesDocument,
  ProbesDocument,
} from "../generated/graphql.js";
import { action } from "./cli.js";
import { probeId } from "./lookup.js";
import { more, type PagingOptions, pagingOptions, readPages } from "./paging.js";
import { readProbeFile } from "./probe-file.js";
import { stateTable } from "./probe-view.js";
import { historyCommand } from "./probes-history.js";
import { runCommand } from "./probes-run.js";
import { list } from "./words.js";

export const probesCommand = (): Command =>
  new Command("probes")
    .description("what is watched")
    .addCommand(listCommand())
    .addCommand(runCommand())
    .addCommand(historyCommand())
    .addCommand(createCommand())
    .addCommand(deleteCommand());

function listCommand(): Command {
  const command = new Command("list")
    .description("probes and what they see on each agent")
    .option("--search <text>", "words in the name")
    .option("--definitions", "how they are configured instead of what they see");
  for (const option of pagingOptions()) command.addOption(option);
  return command.action(
    action<[], PagingOptions & { search?: string; definitions?: boolean }>(async ({ client, out }, options) => {
      const { search } = options;
      const page = await readPages(
        options,
        async (paging) => (await client.request(ProbesDocument, { search, ...paging })).probes,
      );
      if (options.definitions && !out.json) return definitionTable(out, page.nodes);
      const probeIds = page.nodes.map(({ id }) => id);
      const states =
        probeIds.length === 0
          ? []
          : (
              await readPages({ first: 500, all: true }, async (paging) => {
                return (await client.request(ProbeStatesDocument, { filter: { probeIds }, ...paging })).probeStates;
              })
            ).nodes;
      if (out.json)
        return out.document({
          ...page,
          nodes: page.nodes.map((probe) => ({
            ...probe,
            states: states.filter((state) => state.probe.id === probe.id),
          })),
        });
      stateTable(out, states);
      const silent = page.nodes.filter(({ id }) => !states.some((state) => state.probe.id === id));
      if (silent.length > 0) out.say(`Nothing seen yet: ${silent.map(({ name }) => name).join(", ")}.`);
      const rest = more(page);
      if (rest) out.say(rest);
    }),
  );
}

const definitionTable = (out: Parameters<typeof stateTable>[0], probes: ProbeFieldsFragment[]): void =>
  out.table(
    ["NAME", "KIND", "EVERY", "SEVERITY", "ENABLED", "AGENTS WITH", "ID"],
    probes.map((probe) => [
      probe.name,
      probe.kind,
      probe.interval,
      probe.severity,
      probe.enabled ? "yes" : "no",
      list(probe.agentSelector),
      probe.id,
    ]),
    "No probes.",
  );

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
