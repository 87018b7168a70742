import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ConfigError } from "./config/config-error.js";

const HELP = `poppo-ops-agent: runs the probes and remediations of this host

  poppo-ops-agent --config agent.yaml

  --config <file>   the agent's one file (or POPPO_AGENT_CONFIG)
  --check           validate the file and exit
  --version         print the version and exit
  --help            print this and exit

The first start needs an enrolment token, as \`enrolmentToken\` in the file or in POPPO_ENROLMENT_TOKEN.

Exit codes: 0 stopped · 1 failed · 2 usage or configuration · 3 enrolment refused · 4 revoked · 5 another agent with
this identity took over · 130 a second signal ended it while it was stopping
`;

const version: string = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;

/** @returns the exit code */
async function main(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { config: path = env.POPPO_AGENT_CONFIG, check, help, version: showVersion } = readArguments(argv);
  if (help) return print(HELP);
  if (showVersion) return print(`${version}\n`);
  if (!path) throw new ConfigError("no configuration: give --config <file> or set POPPO_AGENT_CONFIG; see --help");
  // Imported where they are needed, so that --help and --check answer at once.
  const { loadConfig } = await import("./config/config.js");
  const config = loadConfig(path, env);
  if (check) return print(`${path} is valid\n`);
  const { run } = await import("./run.js");
  return run(config, version);
}

function readArguments(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        config: { type: "string" },
        check: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new ConfigError(`${(error as Error).message}; see --help`);
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2), process.env);
} catch (error) {
  process.stderr.write(`poppo-ops-agent: ${(error as Error).message}\n`);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
}
// Plugins may have left timers and sockets behind; the agent itself has stopped.
process.exit();
