import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { describe, EXIT, failureOf, usage } from "./failure.js";
import { createProgram } from "./program.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** @returns the exit code */
async function main(argv: string[]): Promise<number> {
  const program = createProgram(version);
  try {
    await program.parseAsync(argv);
    return EXIT.OK;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.OK;
    // A noun without a verb: its help is the answer.
    if (error instanceof CommanderError && error.code === "commander.help") return missingCommand(argv);
    const failure = failureOf(error);
    // Whoever pressed Ctrl-C knows.
    if (failure.exitCode !== EXIT.INTERRUPTED) process.stderr.write(`${describe(failure, argv.includes("--json"))}\n`);
    return failure.exitCode;
  }
}

function missingCommand(argv: string[]): number {
  let command = createProgram(version);
  for (const word of argv.slice(2)) command = command.commands.find((sub) => sub.name() === word) ?? command;
  const failure = usage(
    "A command is missing.",
    `Commands are ${command.commands.map((sub) => sub.name()).join(", ")}.`,
  );
  const json = argv.includes("--json");
  process.stderr.write(json ? `${describe(failureOf(failure), json)}\n` : command.helpInformation());
  return EXIT.USAGE;
}

// `| head` has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? EXIT.OK : EXIT.FAILED),
);
// An empty variable counts as absent (docs/configuration.md), for commander and the programs that `up` starts too.
for (const [name, value] of Object.entries(process.env))
  if (name.startsWith("POPPO_") && value === "") delete process.env[name];
process.exitCode = await main(process.argv);
