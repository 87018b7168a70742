import { Command } from "commander";
import { unwrap } from "../error.js";
import { PauseProcessingDocument, ResumeProcessingDocument } from "../generated/graphql.js";
import { action } from "./cli.js";
import { duration } from "./option-values.js";
import { when } from "./words.js";

/** The kill switch. */
export const pauseCommand = (): Command =>
  new Command("pause")
    .description("kill switch: no remediation starts until resumed")
    .argument("<reason>", "why, for everybody who wonders")
    .option("--for <duration>", "resume by itself after, for example 2h", duration)
    .addHelpText("after", '\nExample:\n  poppo-ops pause "migration under way" --for 2h')
    .action(
      action<[string], { for?: string }>(async ({ client, out }, options, reason) => {
        const input = { reason, for: options.for };
        const { processing } = unwrap((await client.request(PauseProcessingDocument, { input })).pauseProcessing);
        if (out.json) return out.document(processing);
        const end = processing?.until ? `, until ${processing.until} (${when(processing.until, out.now)})` : "";
        out.say(`Remediations are paused${end}. \`poppo-ops resume\` ends it.`);
      }),
    );

export const resumeCommand = (): Command =>
  new Command("resume").description("let remediations run again").action(
    action<[]>(async ({ client, out }) => {
      const { processing } = unwrap((await client.request(ResumeProcessingDocument, { input: {} })).resumeProcessing);
      if (out.json) out.document(processing);
      else out.say("Remediations run again.");
    }),
  );
