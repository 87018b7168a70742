import { type ParseArgsConfig, parseArgs } from "node:util";

/** The options of a program: `--help` prints how it is used, and what is not understood ends it with exit code 2. */
export function argumentsOf<Config extends ParseArgsConfig>(
  usage: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  if (process.argv.includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    return wrongUsage((error as Error).message);
  }
}

export function wrongUsage(message: string): never {
  console.error(`${message}\nSee --help.`);
  process.exit(2);
}
