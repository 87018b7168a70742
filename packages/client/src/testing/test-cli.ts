import { GraphQLError } from "graphql";
import { afterEach, beforeAll, beforeEach } from "vitest";
import { type FakeServer, type Roots, startFakeServer } from "./fake-server.js";
import { build, openShell, type Shell } from "./run-cli.js";

export interface TestCli {
  /** What the server answers; empty at the beginning of each test. */
  roots: Roots;
  /** Of the running test. */
  server: FakeServer;
  /** Of the running test. */
  shell: Shell;
  /** Runs `poppo-ops` against the server, with a token. */
  poppo(args: string[], options?: { input?: string; env?: Record<string, string> }): ReturnType<Shell["run"]>;
  /** What the server was asked by operations of this name. */
  asked(operation: string): ReturnType<FakeServer["asked"]>;
}

/** For each test of the file: a server that answers as the test says, and a shell in an empty home. */
export function testCli(): TestCli {
  const cli: TestCli = {
    roots: {},
    server: undefined as unknown as FakeServer,
    shell: undefined as unknown as Shell,
    poppo: (args, { env, ...options } = {}) =>
      cli.shell.run(args, { ...options, env: { POPPO_URL: cli.server.url, POPPO_TOKEN: "t", ...env } }),
    asked: (operation) => cli.server.asked(operation),
  };
  beforeAll(build, 120_000);
  beforeEach(async () => {
    for (const name of Object.keys(cli.roots)) delete cli.roots[name];
    cli.server = await startFakeServer({ roots: cli.roots });
    cli.shell = await openShell();
  });
  afterEach(async () => {
    await cli.shell[Symbol.asyncDispose]();
    await cli.server.stop();
  });
  return cli;
}

/** A root that answers with an error. */
export const refuse =
  (code: string, message = "no") =>
  (): never => {
    throw new GraphQLError(message, { extensions: { code, requestId: "r-1" } });
  };
