import { Command, Option } from "commander";
import { unwrap } from "../error.js";
import { IncidentCategory, RaiseIncidentDocument, Severity } from "../generated/graphql.js";
import { action } from "./cli.js";
import { serviceId } from "./lookup.js";
import { json, listed, one } from "./option-values.js";
import { printable } from "./output.js";

interface RaiseOptions {
  severity: Severity;
  category?: IncidentCategory;
  service?: string;
  description?: string;
  dedupKey?: string;
  source?: string;
  evidence?: unknown;
}

export const raiseCommand = (): Command =>
  new Command("raise")
    .description("open an incident by hand")
    .argument("<title>", "one line: what is wrong")
    .addOption(new Option("--severity <severity>", listed(Severity)).argParser(one(Severity)).makeOptionMandatory())
    .addOption(
      new Option("--category <category>", listed(IncidentCategory).toLowerCase()).argParser(one(IncidentCategory)),
    )
    .option("--service <service>", "name or id of what it is about")
    .option("--description <text>", "more of it")
    .option("--dedup-key <key>", "raised again while it is open, it counts a duplicate")
    .option("--source <name>", "what raised it (default: the name of your token)")
    .option("--evidence <json>", 'anything that helps, for example \'{"host":"web-1"}\'', json)
    .addHelpText("after", '\nExample:\n  poppo-ops incidents raise "checkout is slow" --severity P2 --service shop')
    .action(
      action<[string], RaiseOptions>(async ({ client, out }, { service, ...options }, title) => {
        const input = { title, ...options, ...(service && { serviceId: await serviceId(client, service) }) };
        const incident = unwrap((await client.request(RaiseIncidentDocument, { input })).raiseIncident).incident!;
        if (out.json) return out.document(incident);
        const { number, severity, duplicateCount } = incident;
        const done =
          duplicateCount === 0 ? `raised as ${severity}` : `was open already, and has come ${duplicateCount + 1} times`;
        out.say(printable(`#${number} ${done}: ${incident.title}`));
      }),
    );
