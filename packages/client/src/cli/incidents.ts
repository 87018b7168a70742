import { Command, Option } from "commander";
import type { Client } from "../client.js";
import { unwrap } from "../error.js";
import {
  AcknowledgeIncidentsDocument,
  EventsDocument,
  IncidentDetailsDocument,
  type IncidentFieldsFragment,
  IncidentStatus,
  IncidentsDocument,
  ResolveIncidentsDocument,
  Severity,
} from "../generated/graphql.js";
import { action, type Cli } from "./cli.js";
import { CliError, EXIT, notFound } from "./failure.js";
import { incidentId, reference } from "./incident-reference.js";
import { type IncidentDetails, incidentTable, showIncident } from "./incident-view.js";
import { watchCommand } from "./incidents-watch.js";
import { listed, oneOrMore } from "./option-values.js";
import { listing, MAX_PAGE } from "./paging.js";
import { count } from "./words.js";

const IS_OPEN: Record<IncidentStatus, boolean> = {
  TRIGGERED: true,
  ACKNOWLEDGED: true,
  SNOOZED: true,
  RESOLVED: false,
  MERGED: false,
};
const OPEN = Object.values(IncidentStatus).filter((status) => IS_OPEN[status]);
/** Two words stand for several. */
const STATUS_WORDS = { ...IncidentStatus, OPEN: "OPEN", ANY: "ANY" } as const;

export const incidentsCommand = (): Command =>
  new Command("incidents")
    .description("see and handle incidents")
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(watchCommand())
    .addCommand(ackCommand())
    .addCommand(resolveCommand());

interface ListOptions {
  status?: (keyof typeof STATUS_WORDS)[];
  severity?: Severity[];
  search?: string;
}

const listCommand = (): Command =>
  listing(
    new Command("list")
      .description("open incidents, most severe first")
      .addOption(
        new Option("--status <status...>", "open (default), any, or some of them").argParser(oneOrMore(STATUS_WORDS)),
      )
      .addOption(new Option("--severity <severity...>", listed(Severity)).argParser(oneOrMore(Severity)))
      .option("--search <text>", "part of the title, in any case")
      .addHelpText(
        "after",
        "\nExamples:\n  poppo-ops incidents list --severity P0,P1\n  poppo-ops incidents list --status resolved --search disk --json",
      ),
    {
      query({ client }, { status = ["OPEN"], severity, search }: ListOptions) {
        const statuses = status.includes("ANY")
          ? undefined
          : status.flatMap((s) => (s === "OPEN" ? OPEN : [s as IncidentStatus]));
        const filter = { statuses, severities: severity, search };
        return async (page) =>
          (await client.request(IncidentsDocument, { filter, orderBy: "SEVERITY", ...page })).incidents;
      },
      show: (out, incidents) => incidentTable(out, incidents, "No incidents."),
    },
  );

const showCommand = (): Command =>
  new Command("show")
    .description("one incident: state, evidence, timeline, remediations")
    .argument("<incident>", "number (12 or #12) or id")
    .addHelpText("after", "\nExample:\n  poppo-ops incidents show 12")
    .action(
      action<[string]>(async ({ client, out }, _options, given) => {
        const variables = { ...reference(given), timelineFirst: MAX_PAGE };
        const { incident } = await client.request(IncidentDetailsDocument, variables);
        if (!incident) throw notFound(`incident ${given}`, "See `poppo-ops incidents list --status any`.");
        await completeTimeline(client, incident);
        if (out.json) out.document(incident);
        else showIncident(out, incident);
      }),
    );

/** The newest entries matter most, and come last. */
async function completeTimeline(client: Client, { id, timeline }: IncidentDetails): Promise<void> {
  const filter = { incidentIds: [id] };
  while (!timeline.caughtUp) {
    const { events } = await client.request(EventsDocument, { filter, after: timeline.cursor, first: MAX_PAGE });
    // A log that was given a new epoch in between has no later page.
    if (events.gap) return;
    timeline.events.push(...events.events);
    timeline.cursor = events.cursor;
    timeline.caughtUp = events.caughtUp;
  }
}

const ackCommand = (): Command =>
  new Command("ack")
    .description("acknowledge: somebody is at it")
    .argument("<incidents...>", "numbers (12 or #12) or ids")
    .addHelpText("after", "\nExample:\n  poppo-ops incidents ack 12 13")
    .action(
      action<[string[]]>(async (cli, _options, given) => {
        const ids = await Promise.all(given.map((one) => incidentId(cli.client, one)));
        const { acknowledgeIncidents } = await cli.client.request(AcknowledgeIncidentsDocument, { input: { ids } });
        report(cli, acknowledgeIncidents, "acknowledged");
      }),
    );

const resolveCommand = (): Command =>
  new Command("resolve")
    .description("resolve: it is over")
    .argument("<incidents...>", "numbers (12 or #12) or ids")
    .option("-m, --message <text>", "how it was solved")
    .addHelpText("after", '\nExample:\n  poppo-ops incidents resolve 12 -m "disk replaced"')
    .action(
      action<[string[]], { message?: string }>(async (cli, { message }, given) => {
        const ids = await Promise.all(given.map((one) => incidentId(cli.client, one)));
        const input = { ids, resolution: message };
        const { resolveIncidents } = await cli.client.request(ResolveIncidentsDocument, { input });
        report(cli, resolveIncidents, "resolved");
      }),
    );

/** Says what was done, and fails with what was refused: some of many can be. */
function report(
  { out }: Cli,
  payload: Parameters<typeof unwrap>[0] & { incidents: IncidentFieldsFragment[] },
  done: string,
): void {
  if (out.json) out.document(payload);
  for (const { number, title } of payload.incidents) out.say(`#${number} ${done}: ${title}`);
  if (payload.incidents.length === 0) unwrap(payload);
  if (payload.userErrors.length > 0)
    throw new CliError(
      EXIT.FAILED,
      payload.userErrors[0]!.code,
      `${count(payload.userErrors.length, "incident")} not ${done}: ${payload.userErrors.map((e) => e.message).join("; ")}`,
      "The others are done.",
    );
}
