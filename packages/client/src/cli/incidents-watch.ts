import { Command, Option } from "commander";
import type { Client } from "../client.js";
import type { Event } from "../events.js";
import { IncidentDocument, Severity } from "../generated/graphql.js";
import { action } from "./cli.js";
import { listed, oneOrMore } from "./option-values.js";
import { type Output, printable } from "./output.js";
import { word } from "./words.js";

interface WatchOptions {
  severity?: Severity[];
  type?: string[];
  after?: string;
}

export const watchCommand = (): Command =>
  new Command("watch")
    .description("follow what happens, through server restarts, until Ctrl-C")
    .addOption(new Option("--severity <severity...>", listed(Severity)).argParser(oneOrMore(Severity)))
    .option("--type <type...>", "incident.raised, or a family as incident.*")
    .option("--after <cursor>", "from this event on, `cursor` of --json (default: from now)")
    .addHelpText(
      "after",
      "\nExamples:\n  poppo-ops incidents watch --severity P0\n  poppo-ops incidents watch --json | jq .summary",
    )
    .action(
      action<[], WatchOptions>(async ({ client, out, signal, remark }, { severity, type, after }) => {
        const numberOf = numbers(client);
        const onGap = () =>
          process.stderr.write("poppo-ops: the server was restored; events before now may be missing\n");
        remark("watching; Ctrl-C ends");
        for await (const event of client.events({
          filter: { severities: severity, types: type },
          after,
          signal,
          onGap,
        })) {
          if (out.json) out.line(event, "");
          else out.say(line(out, event, await numberOf(event.incidentId)));
        }
      }),
    );

/** Of the longest type, `agent.enrolment_token_created`. */
const TYPE_WIDTH = 29;

const line = (out: Output, { at, type, severity, summary, actor }: Event, number: string): string =>
  [
    out.paint("dim", at.slice(11, 19)),
    severity ? word(out, severity) : "  ",
    number.padEnd(6),
    type.padEnd(TYPE_WIDTH),
    printable(summary),
    out.paint("dim", `(${printable(actor)})`),
  ].join(" ");

/** What people type into `ack`. An event carries the id alone, so that a thousand subscribers cost the server one read. */
function numbers(client: Client): (id: string | null) => Promise<string> {
  const known = new Map<string, string>();
  return async (id) => {
    if (!id) return "";
    const number = known.get(id) ?? (await read(client, id));
    if (known.size >= 1_000) known.clear();
    if (number) known.set(id, number);
    return number;
  };
}

/** The number is a convenience: a server that restarts this very moment must not end the watch. */
async function read(client: Client, id: string): Promise<string> {
  const answer = await client.request(IncidentDocument, { id }).catch(() => undefined);
  return answer?.incident ? `#${answer.incident.number}` : "";
}
