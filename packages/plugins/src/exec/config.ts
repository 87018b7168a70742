import { z } from "zod";
import { defineManifest } from "../contract.js";
import { parseRange } from "./range.js";

const range = z
  .string()
  .refine((text) => parseRange(text) !== undefined, "must be a threshold range such as 10, 10:, ~:10, 10:20 or @10:20");

const nagios = z.strictObject({
  argv: z
    .tuple([z.string().min(1)], z.string())
    .describe("The program and its arguments. Run as they stand: no shell, no expansion."),
  cwd: z.string().optional().describe("Working directory. Absent: the agent's."),
  env: z
    .record(z.string(), z.string())
    .default({})
    .describe("Environment beside PATH and LC_ALL=C; the agent's own environment is not passed on."),
  maxOutputBytes: z
    .number()
    .int()
    .min(1024)
    .max(1_048_576)
    .default(65_536)
    .describe("Output kept, in bytes. A program that writes 16 times as much is stopped."),
  thresholds: z
    .record(
      z.string(),
      z.strictObject({
        warn: range.optional().describe("WARN when the value alerts on this range."),
        crit: range.optional().describe("CRIT when the value alerts on this range."),
      }),
    )
    .default({})
    .describe("Own limits by perfdata label, as Nagios ranges. They can make the status worse, never better."),
});

export type NagiosConfig = z.output<typeof nagios>;

export const manifest = defineManifest({
  name: "exec",
  version: "1.0.0",
  description: "Checks in any language: runs a program that speaks the Nagios plugin contract.",
  probes: {
    nagios: {
      title: "Nagios plugin",
      description: "Exit code 0/1/2/3 as OK/WARN/CRIT/UNKNOWN, perfdata as metrics.",
      config: nagios,
      intervalMs: 60_000,
      timeoutMs: 30_000,
    },
  },
  remediations: {},
});
