import { Command, Option } from "commander";
import { OutcomeStatus, ProbeResultsDocument } from "../generated/graphql.js";
import { usage } from "./failure.js";
import { agentId, probeId } from "./lookup.js";
import { listed, oneOrMore } from "./option-values.js";
import { listing } from "./paging.js";
import { when, word } from "./words.js";

interface HistoryOptions {
  agent?: string;
  item?: string;
  status?: OutcomeStatus[];
  since?: string;
}

export const historyCommand = (): Command =>
  listing(
    new Command("history")
      .description("what a probe has seen, newest first; kept for two days")
      .argument("<probe>", "name or id")
      .option("--agent <agent>", "name or id")
      .option("--item <item>", "one of the probe's targets")
      .addOption(
        new Option("--status <status>", listed(OutcomeStatus).toLowerCase()).argParser(oneOrMore(OutcomeStatus)),
      )
      .option("--since <time>", "for example 2026-11-24T22:00Z (default: an hour ago)")
      .addHelpText("after", "\nExample:\n  poppo-ops probes history disks --status warn,crit"),
    {
      async query({ client }, options: HistoryOptions, probe: string) {
        const filter = {
          probeId: await probeId(client, probe),
          agentIds: options.agent ? [await agentId(client, options.agent)] : undefined,
          item: options.item,
          statuses: options.status,
          since: options.since && momentOf(options.since),
        };
        return async (page) => (await client.request(ProbeResultsDocument, { filter, ...page })).probeResults;
      },
      show: (out, results, { since }) =>
        out.table(
          ["WHEN", "AGENT", "ITEM", "STATUS", "TOOK", "SUMMARY"],
          results.map((result) => [
            when(result.at, out.now),
            result.agent.name,
            result.item || "-",
            word(out, result.status),
            `${Math.round(result.durationMs)} ms`,
            result.summary,
          ]),
          `Nothing ${since ? "since then" : "within the last hour"}.`,
        ),
    },
  );

function momentOf(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw usage(`--since is "${text}", which is no time; write it like 2026-11-24T22:00Z.`);
  return new Date(ms).toISOString();
}
