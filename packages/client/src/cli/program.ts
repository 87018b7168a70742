import { Command, Option } from "commander";
import { agentsCommand } from "./agents.js";
import { auditCommand } from "./audit.js";
import { EXIT_CODES_HELP } from "./failure.js";
import { incidentsCommand } from "./incidents.js";
import { integrationsCommand } from "./integrations.js";
import { policiesCommand } from "./policies.js";
import { probesCommand } from "./probes.js";
import { pauseCommand, resumeCommand } from "./processing.js";
import { remediationsCommand } from "./remediations.js";
import { servicesCommand } from "./services.js";
import { statusCommand } from "./status.js";
import { tokensCommand } from "./tokens.js";
import { upCommand } from "./up.js";

const EXAMPLES = `
Examples:
  poppo-ops up
  poppo-ops incidents list --severity P0,P1
  poppo-ops incidents ack 12 13
  poppo-ops remediations logs -f 12
`;

/** The whole command line. Errors are thrown, not printed: main words them. */
export function createProgram(version: string): Command {
  const program = new Command("poppo-ops")
    .description("Poppo Ops: an operations playbook, executable")
    .version(version)
    .addOption(new Option("--url <url>", "the server (default http://127.0.0.1:3000)").env("POPPO_URL"))
    .addOption(new Option("--token <token>", "API token (default: the saved one)").env("POPPO_TOKEN"))
    .option("--json", "JSON instead of text; errors too")
    .option("--no-color", "no colours (also NO_COLOR)")
    .addHelpText("after", `${EXAMPLES}${EXIT_CODES_HELP}`);
  const commands = [
    upCommand,
    statusCommand,
    incidentsCommand,
    agentsCommand,
    probesCommand,
    remediationsCommand,
    policiesCommand,
    servicesCommand,
    integrationsCommand,
    tokensCommand,
    pauseCommand,
    resumeCommand,
    auditCommand,
  ];
  for (const command of commands) program.addCommand(command());
  inherit(program);
  return program;
}

/** `addCommand` copies no settings to the subcommand. */
function inherit(command: Command): void {
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => {}, writeErr: () => {} });
  for (const sub of command.commands) inherit(sub);
}
