import { Command } from "commander";
import { type GlobalOptions, outputFor } from "./cli.js";
import { up } from "./up/up.js";

export const upCommand = (): Command =>
  new Command("up")
    .description("start the server, its database and an agent for this host; Ctrl-C stops them")
    .option("--no-agent", "the server alone")
    .addHelpText(
      "after",
      "\nPOPPO_HOST, POPPO_PORT, POPPO_DATA_DIR and DATABASE_URL decide where.\n\nExample:\n  POPPO_PORT=3100 poppo-ops up",
    )
    .action(async ({ agent }: { agent: boolean }, command: Command) => {
      await up({ agent, out: outputFor(command.optsWithGlobals<GlobalOptions>()), env: process.env });
    });
