import { once } from "node:events";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Command, Option } from "commander";
import { AuditLogDocument } from "../generated/graphql.js";
import { type Link, verifyChain } from "./audit-chain.js";
import { action, type GlobalOptions, outputFor } from "./cli.js";
import { CliError, EXIT, usage } from "./failure.js";
import { wholeNumber } from "./option-values.js";

const PAGE = 500;

export const auditCommand = (): Command =>
  new Command("audit")
    .description("the hash-chained record of every change")
    .addCommand(exportCommand())
    .addCommand(verifyCommand());

const exportCommand = (): Command =>
  new Command("export")
    .description("the record as JSON lines, to keep where the server cannot reach")
    .addOption(
      new Option("--after <seq>", "continue an earlier export after its last seq").argParser(wholeNumber(0, 1e15)),
    )
    .addHelpText("after", "\nExample:\n  poppo-ops audit export > audit.jsonl && poppo-ops audit verify audit.jsonl")
    .action(
      action<[], { after?: number }>(async ({ client, signal }, { after = 0 }) => {
        const read = async (from: number, first: number) =>
          (await client.request(AuditLogDocument, { after: String(from), first })).auditLog;
        const [anchor] = after > 0 ? await read(after - 1, 1) : [];
        let records = await read(after, PAGE);
        // Only now: a header alone would be an export of which nothing tells that it failed.
        await write({ after: String(after), hash: anchor?.hash ?? "" });
        while (!signal.aborted) {
          for (const { seq, body, hash } of records) await write({ seq, body, hash });
          if (records.length < PAGE) return;
          records = await read(Number(records.at(-1)!.seq), PAGE);
        }
      }),
    );

/** Waits when the reader is slower than the server, so that a long record is never held in memory. */
async function write(record: unknown): Promise<void> {
  if (!process.stdout.write(`${JSON.stringify(record)}\n`)) await once(process.stdout, "drain");
}

const verifyCommand = (): Command =>
  new Command("verify")
    .description("check an export, offline: nothing was changed, inserted or left out")
    .argument("[file]", "what `audit export` wrote; absent or -: stdin")
    .option("--genesis <hash>", "the hash before the first record, if the file does not say")
    .addHelpText("after", "\nExample:\n  poppo-ops audit verify audit.jsonl")
    .action(async (file: string | undefined, options: { genesis?: string }, command: Command) => {
      const out = outputFor(command.optsWithGlobals<GlobalOptions>());
      const verdict = await verifyChain(links(file), options.genesis);
      if (out.json) out.document(verdict);
      if (verdict.broken)
        throw new CliError(
          EXIT.FAILED,
          "CHAIN_BROKEN",
          `The record is broken at seq ${verdict.broken.seq}: ${verdict.broken.reason}`,
          "Compare with another copy: what comes before it is as it was written.",
        );
      if (!verdict.last)
        throw new CliError(
          EXIT.FAILED,
          "NO_RECORDS",
          "There is no record to check.",
          "Give what `audit export` wrote; did the export fail?",
        );
      out.say(
        `${verdict.verified} records are unbroken, up to seq ${verdict.last.seq} with hash ${verdict.last.hash}.`,
      );
      if (verdict.trusted)
        out.say(
          `Record ${verdict.trusted} was taken on trust: give --genesis, or a file that begins at its beginning.`,
        );
    });

async function* links(file = "-"): AsyncGenerator<Link> {
  const lines = file === "-" ? createInterface({ input: process.stdin }) : (await openExport(file)).readLines();
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim()) yield parse(line, number);
  }
}

const openExport = (file: string) =>
  open(file).catch((error: Error) => {
    throw usage(`Cannot read ${file}: ${error.message}`, "Name a file that `audit export` wrote.");
  });

function parse(line: string, number: number): Link {
  try {
    return JSON.parse(line) as Link;
  } catch {
    throw new CliError(
      EXIT.FAILED,
      "CHAIN_BROKEN",
      `Line ${number} is not JSON; the file was cut or changed.`,
      "Export it again.",
    );
  }
}
