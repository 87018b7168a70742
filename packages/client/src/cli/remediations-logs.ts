import { Command } from "commander";
import { RemediationRunDocument, RemediationRunOutputDocument, type RunStatus } from "../generated/graphql.js";
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

const GOOD: RunStatus[] = ["SUCCEEDED", "VERIFYING"];

async function conclude({ client, remark }: Cli, id: string): Promise<void> {
  const { remediationRun: run } = await client.request(RemediationRunDocument, { id });
  if (!run) return;
  remark(`${run.status}${run.summary ? `: ${run.summary}` : ""}`);
  if (GOOD.includes(run.status)) return;
  const why = run.summary ?? run.reason;
  throw new CliError(
    EXIT.FAILED,
    run.status,
    `The run ended as ${run.status}${why ? `: ${why}` : "."}`,
    "See `poppo-ops remediations show`.",
  );
}
