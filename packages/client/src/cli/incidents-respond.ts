import { Command } from "commander";
import { unwrap } from "../error.js";
import {
  AcknowledgeIncidentsDocument,
  AddNoteDocument,
  AssignIncidentDocument,
  type IncidentFieldsFragment,
  type IncidentPayloadFieldsFragment,
  MergeIncidentsDocument,
  ReopenIncidentDocument,
  ResolveIncidentsDocument,
  SetSeverityDocument,
  Severity,
  SnoozeIncidentDocument,
  ViewerDocument,
} from "../generated/graphql.js";
import { action, type Cli } from "./cli.js";
import { CliError, EXIT, usage } from "./failure.js";
import { INCIDENT_ARGUMENT, INCIDENTS_ARGUMENT, incidentId, incidentIds } from "./incident-reference.js";
import { duration, listed, one } from "./option-values.js";
import { type Output, printable } from "./output.js";
import { count, when } from "./words.js";

export const ackCommand = (): Command =>
  new Command("ack")
    .description("acknowledge: somebody is at it")
    .argument("<incidents...>", INCIDENTS_ARGUMENT)
    .addHelpText("after", "\nExample:\n  poppo-ops incidents ack 12 13")
    .action(
      action<[string[]]>(async (cli, _options, given) => {
        const ids = await incidentIds(cli.client, given);
        const { acknowledgeIncidents } = await cli.client.request(AcknowledgeIncidentsDocument, { input: { ids } });
        report(cli, acknowledgeIncidents, "acknowledged");
      }),
    );

export const resolveCommand = (): Command =>
  new Command("resolve")
    .description("resolve: it is over")
    .argument("<incidents...>", INCIDENTS_ARGUMENT)
    .option("-m, --message <text>", "how it was solved")
    .addHelpText("after", '\nExample:\n  poppo-ops incidents resolve 12 -m "disk replaced"')
    .action(
      action<[string[]], { message?: string }>(async (cli, { message }, given) => {
        const ids = await incidentIds(cli.client, given);
        const input = { ids, resolution: message };
        const { resolveIncidents } = await cli.client.request(ResolveIncidentsDocument, { input });
        report(cli, resolveIncidents, "resolved");
      }),
    );

export const snoozeCommand = (): Command =>
  changing<{ for: string }>(
    new Command("snooze")
      .description("put aside: it comes back by itself")
      .argument("<incident>", INCIDENT_ARGUMENT)
      .requiredOption(
        "--for <duration>",
        "from 1m to 30d, for example 2h; snoozed again, the new time counts",
        duration,
      )
      .addHelpText("after", "\nExample:\n  poppo-ops incidents snooze 12 --for 2h"),
    {
      ask: async ({ client }, id, options) =>
        (await client.request(SnoozeIncidentDocument, { input: { id, for: options.for } })).snoozeIncident,
      done: ({ snoozedUntil }, out) => `snoozed until ${snoozedUntil} (${when(snoozedUntil, out.now)})`,
    },
  );

export const assignCommand = (): Command =>
  changing<{ nobody?: boolean }, [who?: string]>(
    new Command("assign")
      .description("say who works on it")
      .argument("<incident>", INCIDENT_ARGUMENT)
      .argument("[who]", "a person or team; absent: you, by the name of your token")
      .option("--nobody", "take the assignment away")
      .addHelpText(
        "after",
        "\nExamples:\n  poppo-ops incidents assign 12\n  poppo-ops incidents assign 12 ana\n  poppo-ops incidents assign 12 --nobody",
      ),
    {
      async ask(cli, id, { nobody }, who) {
        if (nobody && who !== undefined)
          throw usage(`It is assigned to "${who}" or to nobody.`, `Leave out --nobody or "${who}".`);
        const assignee = nobody ? null : (who ?? (await cli.client.request(ViewerDocument)).viewer.name);
        return (await cli.client.request(AssignIncidentDocument, { input: { id, assignee } })).assignIncident;
      },
      done: ({ assignee }) => `assigned to ${assignee ?? "nobody"}`,
    },
  );

export const noteCommand = (): Command =>
  changing<unknown, [text: string]>(
    new Command("note")
      .description("write into its timeline, also after its end")
      .argument("<incident>", INCIDENT_ARGUMENT)
      .argument("<text>", "one argument, of any number of lines")
      .addHelpText("after", '\nExample:\n  poppo-ops incidents note 12 "the vendor knows, ticket 4711"'),
    {
      ask: async ({ client }, id, _options, text) =>
        (await client.request(AddNoteDocument, { input: { id, text } })).addNote,
      done: () => "has your note",
    },
  );

export const severityCommand = (): Command =>
  changing<{ reason?: string }, [severity: Severity]>(
    new Command("severity")
      .description("say how bad it is")
      .argument("<incident>", INCIDENT_ARGUMENT)
      .argument("<severity>", listed(Severity), one(Severity))
      .option("-m, --reason <text>", "why, for its timeline")
      .addHelpText("after", '\nExample:\n  poppo-ops incidents severity 12 P1 -m "customers notice"'),
    {
      ask: async ({ client }, id, { reason }, severity) =>
        (await client.request(SetSeverityDocument, { input: { id, severity, reason } })).setSeverity,
      done: ({ severity }) => `is ${severity}`,
    },
  );

export const mergeCommand = (): Command =>
  changing<unknown, [from: string[]]>(
    new Command("merge")
      .description("make several one: the others become part of the first, for good")
      .argument("<into>", INCIDENT_ARGUMENT)
      .argument("<from...>", INCIDENTS_ARGUMENT)
      .addHelpText("after", "\nExample:\n  poppo-ops incidents merge 12 13 14"),
    {
      async ask({ client }, intoId, _options, from) {
        const fromIds = await incidentIds(client, from);
        return (await client.request(MergeIncidentsDocument, { input: { intoId, fromIds } })).mergeIncidents;
      },
      done: (_incident, _out, from) => `took in ${from.join(", ")}`,
    },
  );

export const reopenCommand = (): Command =>
  changing<{ reason?: string }>(
    new Command("reopen")
      .description("it was not over")
      .argument("<incident>", INCIDENT_ARGUMENT)
      .option("-m, --reason <text>", "why, for its timeline")
      .addHelpText("after", '\nExample:\n  poppo-ops incidents reopen 12 -m "it is back"'),
    {
      ask: async ({ client }, id, { reason }) =>
        (await client.request(ReopenIncidentDocument, { input: { id, reason } })).reopenIncident,
      done: () => "reopened",
    },
  );

interface Change<Options, Arguments extends unknown[]> {
  ask(cli: Cli, id: string, options: Options, ...given: Arguments): Promise<IncidentPayloadFieldsFragment>;
  /** What happened to it, for people. */
  done(incident: IncidentFieldsFragment, out: Output, ...given: Arguments): string;
}

/** Makes a command change the incident that its first argument names, and say so. */
const changing = <Options, Arguments extends unknown[] = []>(
  command: Command,
  { ask, done }: Change<Options, Arguments>,
): Command =>
  command.action(
    action<[string, ...Arguments], Options>(async (cli, options, incident, ...given) => {
      const payload = await ask(cli, await incidentId(cli.client, incident), options, ...given);
      tell(cli, unwrap(payload).incident!, (changed) => done(changed, cli.out, ...given));
    }),
  );

function tell(
  { out }: Cli,
  incident: IncidentFieldsFragment,
  done: (incident: IncidentFieldsFragment) => string,
): void {
  if (out.json) out.document(incident);
  else out.say(printable(`#${incident.number} ${done(incident)}: ${incident.title}`));
}

/** Says what was done, and fails with what was refused: some of many can be. */
function report(
  { out }: Cli,
  payload: Parameters<typeof unwrap>[0] & { incidents: IncidentFieldsFragment[] },
  done: string,
): void {
  if (out.json) out.document(payload);
  for (const { number, title } of payload.incidents) out.say(`#${number} ${done}: ${printable(title)}`);
  if (payload.incidents.length === 0) unwrap(payload);
  if (payload.userErrors.length > 0)
    throw new CliError(
      EXIT.FAILED,
      payload.userErrors[0]!.code,
      `${count(payload.userErrors.length, "incident")} not ${done}: ${payload.userErrors.map((e) => e.message).join("; ")}`,
      "The others are done.",
    );
}
