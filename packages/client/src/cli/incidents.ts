import { Command, Option } from "commander";
import type { Client } from "../client.js";
import {
  EventsDocument,
  IncidentDetailsDocument,
  IncidentStatus,
  IncidentsDocument,
  Severity,
} from "../generated/graphql.js";
import { action } from "./cli.js";
import { notFound } from "./failure.js";
import { INCIDENT_ARGUMENT, reference } from "./incident-reference.js";
import { type IncidentDetails, incidentTable, showIncident } from "./incident-view.js";
import { raiseCommand } from "./incidents-raise.js";
import {
  ackCommand,
  assignCommand,
  mergeCommand,
  noteCommand,
  reopenCommand,
  resolveCommand,
  severityCommand,
  snoozeCommand,
} from "./incidents-respond.js";
import { watchCommand } from "./incidents-watch.js";
import { listed, oneOrMore } from "./option-values.js";
import { listing, MAX_PAGE } from "./paging.js";

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
    .addCommand(raiseCommand())
    .addCommand(ackCommand())
    .addCommand(assignCommand())
    .addCommand(noteCommand())
    .addCommand(severityCommand())
    .addCommand(snoozeCommand())
    .addCommand(mergeCommand())
    .addCommand(resolveCommand())
    .addCommand(reopenCommand());

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
    .argument("<incident>", INCIDENT_ARGUMENT)
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
