import { Command, Option } from "commander";
import { unwrap } from "../error.js";
import {
  ApproveRemediationDocument,
  CancelRemediationDocument,
  RejectRemediationDocument,
  RemediationRunDocument,
  type RemediationRunFieldsFragment,
  RemediationRunsDocument,
  RequestRemediationDocument,
  RunStatus,
} from "../generated/graphql.js";
import { action, type Cli } from "./cli.js";
import { notFound, usage } from "./failure.js";
import { incidentId } from "./incident-reference.js";
import { agentId, probeId, RUN_ARGUMENT, runId } from "./lookup.js";
import { json, oneOrMore } from "./option-values.js";
import { listing } from "./paging.js";
import { logsCommand } from "./remediations-logs.js";
import { runTable, showRun } from "./run-view.js";
import { word } from "./words.js";

export const remediationsCommand = (): Command =>
  new Command("remediations")
    .description("see, decide and follow remediation runs")
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(requestCommand())
    .addCommand(decision("approve", "let a run that waits for approval begin", "seen and agreed", approve))
    .addCommand(decision("reject", "refuse a run that waits for approval", "it is being moved", reject))
    .addCommand(decision("cancel", "stop a run", "wrong host", cancel))
    .addCommand(logsCommand());

const listCommand = (): Command =>
  listing(
    new Command("list")
      .description("runs, newest first")
      .addOption(
        new Option("--status <status...>", "awaiting-approval, running, failed …").argParser(oneOrMore(RunStatus)),
      )
      .option("--incident <incident>", "of this incident")
      .addHelpText("after", "\nExample:\n  poppo-ops remediations list --status awaiting-approval"),
    {
      async query({ client }, { status, incident }: { status?: RunStatus[]; incident?: string }) {
        const filter = { statuses: status, incidentIds: incident ? [await incidentId(client, incident)] : undefined };
        return async (page) => (await client.request(RemediationRunsDocument, { filter, ...page })).remediationRuns;
      },
      show: runTable,
    },
  );

const showCommand = (): Command =>
  new Command("show")
    .description("one run: what, why, preview, result")
    .argument("<run>", RUN_ARGUMENT)
    .action(
      action<[string]>(async ({ client, out }, _options, given) => {
        const id = await runId(client, given);
        const { remediationRun } = await client.request(RemediationRunDocument, { id });
        if (!remediationRun) throw notFound(`remediation run ${id}`, "See `poppo-ops remediations list`.");
        if (out.json) out.document(remediationRun);
        else showRun(out, remediationRun);
      }),
    );

interface RequestOptions {
  agent?: string;
  probe?: string;
  kind?: string;
  input?: unknown;
}

const requestCommand = (): Command =>
  new Command("request")
    .description("ask for a remediation: of an incident, or by hand")
    .argument("[incident]", "number or id; its probe names the remediation unless --kind does")
    .option("--agent <agent>", "name or id of the host's agent")
    .option("--probe <probe>", "name or id of the probe that verifies")
    .option("--kind <kind>", "for example docker.restart")
    .option("--input <json>", 'for example \'{"container":"web"}\'', json)
    .addHelpText(
      "after",
      "\nExamples:\n  poppo-ops remediations request 12\n" +
        '  poppo-ops remediations request --agent web-1 --kind docker.restart --input \'{"container":"web"}\'',
    )
    .action(
      action<[string | undefined], RequestOptions>(async (cli, options, incident) => {
        if (!incident && !(options.agent && options.kind))
          throw usage("Name an incident, or --agent and --kind.", "For example: poppo-ops remediations request 12");
        const input = {
          incidentId: incident && (await incidentId(cli.client, incident)),
          agentId: options.agent && (await agentId(cli.client, options.agent)),
          probeId: options.probe && (await probeId(cli.client, options.probe)),
          kind: options.kind,
          input: options.input,
        };
        const { requestRemediation } = await cli.client.request(RequestRemediationDocument, { input });
        tell(cli, unwrap(requestRemediation).run!);
      }),
    );

type Decide = (cli: Cli, input: { id: string; reason?: string }) => Promise<RemediationRunFieldsFragment>;

const approve: Decide = async ({ client }, input) =>
  unwrap((await client.request(ApproveRemediationDocument, { input })).approveRemediation).run!;
const reject: Decide = async ({ client }, input) =>
  unwrap((await client.request(RejectRemediationDocument, { input })).rejectRemediation).run!;
const cancel: Decide = async ({ client }, input) =>
  unwrap((await client.request(CancelRemediationDocument, { input })).cancelRemediation).run!;

const decision = (name: string, description: string, because: string, decide: Decide): Command =>
  new Command(name)
    .description(description)
    .argument("<run>", RUN_ARGUMENT)
    .option("-m, --reason <text>", "why, for the audit log")
    .addHelpText("after", `\nExample:\n  poppo-ops remediations ${name} 12 -m "${because}"`)
    .action(
      action<[string], { reason?: string }>(async (cli, { reason }, given) =>
        tell(cli, await decide(cli, { id: await runId(cli.client, given), reason })),
      ),
    );

function tell({ out }: Cli, run: RemediationRunFieldsFragment): void {
  if (out.json) {
    out.document(run);
    return;
  }
  out.say(`${run.kind} on ${run.target}: ${word(out, run.status)}${run.reason ? ` (${run.reason})` : ""}`);
  out.say(
    run.status === "AWAITING_APPROVAL"
      ? `Approve it with \`poppo-ops remediations approve ${run.id}\`.`
      : `Follow it with \`poppo-ops remediations logs -f ${run.id}\`.`,
  );
}
