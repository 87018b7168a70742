import { Command, Option } from "commander";
import { OutcomeStatus, ProbeResultsDocument } from "../generated/graphql.js";
import { action } from "./cli.js";
import { usage } from "./failure.js";
import { agentId, probeId } from "./lookup.js";
import { listed, oneOrMore } from "./option-values.js";
import { more, type PagingOptions, pagingOptions, readPages } from "./paging.js";
import { when, word } from "./words.js";

interface HistoryOptions extends PagingOptions {
  agent?: string;
  item?: string;
  status?: OutcomeStatus[];
  since?: string;
}

export function historyCommand(): Command {
  const command = new Command("history")
    .description("what a probe has seen, newest first; kept for two days")
    .argument("<probe>", "name or id")
    .option("--agent <agent>", "name or id")
    .option("--item <item>", "one of the probe's targets")
    .addOption(new Option("--status <status>", listed(OutcomeStatus).toLowerCase()).argParser(oneOrMore(OutcomeStatus)))
    .option("--since <time>", "for example 2026-11-24T22:00Z (default: an hour ago)");
  for (const option of pagingOptions()) command.addOption(option);
  return command.addHelpText("after", "\nExample:\n  poppo-ops probes history disks --status warn,crit").action(
    action<[string], HistoryOptions>(async ({ client, out }, options, probe) => {
      const filter = {
        probeId: await probeId(client, probe),
        agentIds: options.agent ? [await agentId(client, options.agent)] : undefined,
        item: options.item,
        statuses: options.status,
        since: options.since && momentOf(options.since),
      };
      const page = await readPages(
        options,
        async (paging) => (await client.request(ProbeResultsDocument, { filter, ...paging })).probeResults,
      );
      if (out.json) return out.document(page);
      out.table(
        ["WHEN", "AGENT", "ITEM", "STATUS", "TOOK", "SUMMARY"],
        page.nodes.map((result) => [
          when(result.at, out.now),
          result.agent.name,
          result.item || "-",
          word(out, result.status),
          `${Math.round(result.durationMs)} ms`,
          result.summary,
        ]),
        `Nothing ${options.since ? "since then" : "within the last hour"}.`,
      );
      const rest = more(page);
      if (rest) out.say(rest);
    }),
  );
}

function momentOf(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw usage(`--since is "${text}", which is no time; write it like 2026-11-24T22:00Z.`);
  return new Date(ms).toISOString();
}
