import { Command } from "commander";
import { unwrap } from "../error.js";
import { type ProbeFieldsFragment, UpdateProbeDocument, type UpdateProbeInput } from "../generated/graphql.js";
import { action, type Cli } from "./cli.js";
import { probeId, probeOf } from "./lookup.js";
import { readProbeChanges } from "./probe-file.js";

export const updateCommand = (): Command =>
  new Command("update")
    .description("change a probe: what the YAML file does not give stays as it is")
    .argument("<probe>", "name or id")
    .requiredOption("-f, --file <file>", "the file, or - for stdin; another name in it renames the probe")
    .addHelpText(
      "after",
      "\nExamples:\n  poppo-ops probes update disks -f disks.yaml\n  echo 'severity: P1' | poppo-ops probes update disks -f -" +
        "\n\nconfig is replaced as a whole, rules one by one; `service: null` and `remediation: null` take them away.",
    )
    .action(
      action<[string], { file: string }>(async (cli, { file }, given) => {
        const input = await readProbeChanges(cli.client, file, await probeOf(cli.client, given));
        await update(cli, input, ({ name, kind, interval }) => `Updated ${name} (${kind}, every ${interval}).`);
      }),
    );

export const enableCommand = (): Command =>
  switching("enable", "let agents run it again").action(
    action<[string]>(async (cli, _options, given) =>
      update(cli, { id: await probeId(cli.client, given), enabled: true }, ({ name }) => `Enabled ${name}.`),
    ),
  );

export const disableCommand = (): Command =>
  switching("disable", "no agent runs it until it is enabled; its open incidents are resolved").action(
    action<[string]>(async (cli, _options, given) =>
      update(cli, { id: await probeId(cli.client, given), enabled: false }, ({ name }) => `Disabled ${name}.`),
    ),
  );

const switching = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .argument("<probe>", "name or id")
    .addHelpText("after", `\nExample:\n  poppo-ops probes ${name} disks`);

async function update(
  { client, out }: Cli,
  input: UpdateProbeInput,
  done: (probe: ProbeFieldsFragment) => string,
): Promise<void> {
  const { probe } = unwrap((await client.request(UpdateProbeDocument, { input })).updateProbe);
  if (out.json) out.document(probe);
  else out.say(done(probe!));
}
