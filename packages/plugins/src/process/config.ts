import { z } from "zod";
import { defineManifest } from "../contract.js";

const selector = {
  pidFile: z.string().startsWith("/").optional().describe("A file that holds the process id. Absolute path."),
  name: z
    .string()
    .min(1)
    .optional()
    .describe("The exact program name: the kernel's name of it, or the last part of argv[0]."),
  port: z.number().int().min(1).max(65_535).optional().describe("The TCP port it listens on."),
  cmdline: z
    .string()
    .min(1)
    .optional()
    .describe("A glob its whole command line must match, `*kafka*`: tells two java apart, and proves that it is ours."),
};

export interface Selector {
  pidFile?: string;
  name?: string;
  port?: number;
  cmdline?: string;
}

const selectors = ({ pidFile, name, port }: Selector): number =>
  [pidFile, name, port].filter((one) => one !== undefined).length;

const alive = z
  .strictObject({
    ...selector,
    min: z.number().int().min(1).default(1).describe("CRIT when fewer processes than this match."),
    max: z.number().int().min(1).optional().describe("WARN when more processes than this match."),
  })
  .refine((config) => selectors(config) === 1, "give exactly one of pidFile, name, port")
  .refine(({ min, max }) => max === undefined || max >= min, "max must not be below min");

const argv = z.tuple([z.string().min(1)], z.string());

const restart = z
  .strictObject({
    ...selector,
    command: argv.describe("The program that starts it, and its arguments. Run as they stand: no shell."),
    cwd: z.string().startsWith("/").optional().describe("Working directory of the command. Absolute path."),
    env: z
      .record(z.string(), z.string())
      .default({})
      .describe("Environment beside PATH, HOME and LANG; the agent's own environment is not passed to a daemon."),
    mode: z
      .enum(["daemon", "command"])
      .default("daemon")
      .describe(
        "daemon: the command is the service itself; it gets a session of its own and outlives the agent. command: the command starts it and ends, like `service x start`.",
      ),
    logFile: z
      .string()
      .startsWith("/")
      .optional()
      .describe("Where a daemon's output is appended. Absolute path. Absent: discarded."),
    writePidFile: z
      .boolean()
      .default(false)
      .describe("Write the daemon's process id to `pidFile`, for a program that does not do so itself."),
    stop: argv.optional().describe("A program that asks it to stop. Absent: TERM."),
    graceMs: z
      .number()
      .int()
      .min(100)
      .max(120_000, "at most 120000: with a stop program it can pass twice, and the whole restart has 300000 ms")
      .default(10_000)
      .describe("How long it may take to stop, in ms, before KILL; with `stop`, before TERM and again before KILL."),
  })
  .refine((input) => selectors(input) <= 1, "give at most one of pidFile, name, port")
  .refine((input) => !input.writePidFile || input.pidFile !== undefined, "writePidFile needs pidFile");

export type AliveConfig = z.output<typeof alive>;
export type RestartInput = z.output<typeof restart>;

export const manifest = defineManifest({
  name: "process",
  version: "1.0.0",
  description: "Processes of this host, found by pid file, name or listening port (Linux).",
  probes: {
    alive: {
      title: "Process alive",
      description: "Is the process running, and what does it use?",
      config: alive,
      intervalMs: 15_000,
      timeoutMs: 5_000,
    },
  },
  remediations: {
    restart: {
      title: "Restart a process",
      description: "Stops the process that is found, if there is one, and starts it again by a command.",
      input: restart,
      risk: "R2",
      idempotent: false,
      reversible: "The old process is gone; a new one of the same program takes its place.",
      timeoutMs: 300_000,
      verify: { probe: "process.alive", withinMs: 30_000 },
      target: ({ pidFile, name, port, command }: RestartInput) =>
        `process/${pidFile ?? name ?? (port ? `port-${port}` : command[0].slice(command[0].lastIndexOf("/") + 1))}`,
    },
  },
});
