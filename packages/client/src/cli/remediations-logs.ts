import { Command } from "commander";
import {
  IncidentSnapshotDocument,
  RemediationRunDocument,
  type RemediationRunFieldsFragment,
  RemediationRunOutputDocument,
  type RunStatus,
} from "../generated/graphql.js";
import type { OutputChunk } from "../remediation-output.js";
import { action, type Cli } from "./cli.js";
import { CliError, EXIT, notFound } from "./failure.js";
import { RUN_ARGUMENT, runId } from "./lookup.js";
import { printableLines } from "./output.js";

const PAGE = 200;

export const logsCommand = (): Command =>
  new Command("logs")
    .description("a run's output")
    .argument("<run>", RUN_ARGUMENT)
    .option("-f, --follow", "go on until the run ends; exit 1 unless it succeeded")
    .addHelpText("after", "\nExample:\n  poppo-ops remediations logs -f 12")
    .action(
      action<[string], { follow?: boolean }>(async (cli, { follow }, given) => {
        const id = await runId(cli.client, given);
        const write = writer(cli);
        if (!follow) return readOut(cli, id, write);
        for await (const chunk of cli.client.remediationOutput(id, { signal: cli.signal })) write(chunk);
        if (!cli.signal.aborted) await conclude(cli, id);
      }),
    );

/** What people see is the output itself; what went to stderr there goes to stderr here. */
function writer({ out }: Cli): (chunk: OutputChunk) => void {
  if (out.json) return (chunk) => out.line(chunk, "");
  return ({ stream, text }) => void (stream === "stdout" ? process.stdout : process.stderr).write(printableLines(text));
}

async function readOut({ client }: Cli, id: string, write: (chunk: OutputChunk) => void): Promise<void> {
  let after: number | undefined;
  for (;;) {
    const { remediationRun } = await client.request(RemediationRunOutputDocument, { id, first: PAGE, after });
    if (!remediationRun) throw notFound(`remediation run ${id}`, "See `poppo-ops remediations list`.");
    const { chunks } = remediationRun.output;
    for (const chunk of chunks) write(chunk);
    if (chunks.length < PAGE) return;
    after = chunks.at(-1)!.seq;
  }
}

async function conclude(cli: Cli, id: string): Promise<void> {
  const run = await ended(cli, id);
  if (!run) return;
  const { remark } = cli;
  remark(`${run.status}${run.summary ? `: ${run.summary}` : ""}`);
  if (run.status === "SUCCEEDED") return;
  const why = run.summary ?? run.reason;
  throw new CliError(
    EXIT.FAILED,
    run.status,
    `The run ended as ${run.status}${why ? `: ${why}` : "."}`,
    "See `poppo-ops remediations show`.",
  );
}

const UNDER_WAY: Record<RunStatus, boolean> = {
  AWAITING_APPROVAL: true,
  QUEUED: true,
  RUNNING: true,
  VERIFYING: true,
  SUCCEEDED: false,
  FAILED: false,
  DID_NOT_HELP: false,
  REJECTED: false,
  CANCELLED: false,
  REFUSED: false,
  TIMED_OUT: false,
  INTERRUPTED: false,
  LOST: false,
  EXPIRED: false,
};

/** The run once it has ended, which is after its output has; undefined when it is gone, or at Ctrl-C. */
async function ended({ client, signal }: Cli, id: string): Promise<RemediationRunFieldsFragment | undefined> {
  const read = async () => (await client.request(RemediationRunDocument, { id })).remediationRun ?? undefined;
  // The position in the log is taken before the status is read: no end falls between the two.
  const { cursor } = (await client.request(IncidentSnapshotDocument, { first: 1 })).incidentSnapshot;
  const run = await read();
  if (!run || !UNDER_WAY[run.status]) return run;
  const events = client.events({ filter: { types: ["remediation.*"] }, after: cursor, signal, onGap: () => {} });
  for await (const { payload } of events) {
    if ((payload as { runId?: string }).runId !== id) continue;
    const now = await read();
    if (!now || !UNDER_WAY[now.status]) return now;
  }
  return undefined;
}
