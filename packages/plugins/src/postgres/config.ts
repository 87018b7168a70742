import { z } from "zod";
import { defineManifest } from "../contract.js";
import { ladder, rising } from "../ladder.js";

const reference = "`env:NAME` is that environment variable of the agent.";

const ready = z
  .strictObject({
    url: z
      .string()
      .regex(/^(postgres(ql)?:\/\/|env:[A-Za-z_])/, 'url must begin with "postgres://", or be "env:NAME"')
      .optional()
      .describe(`Where and as whom to connect: postgres://user@host:5432/database. ${reference}`),
    host: z
      .string()
      .min(1)
      .optional()
      .describe("Name, address or, beginning with `/`, the folder of the socket. Default: localhost."),
    port: z.number().int().min(1).max(65_535).optional().describe("Default: 5432."),
    database: z.string().min(1).optional().describe("Default: the name of the user."),
    user: z.string().min(1).optional().describe(`Default: postgres. ${reference}`),
    password: z
      .string()
      .min(1)
      .optional()
      .describe(`Never shown. Absent: PGPASSWORD or ~/.pgpass of the agent. ${reference}`),
    ssl: z
      .enum(["disable", "require", "verify-full"])
      .optional()
      .describe(
        "`require` encrypts, `verify-full` also checks the certificate. `sslmode` in the url comes first. Default: disable.",
      ),
    connectTimeoutMs: z
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(5_000)
      .describe("How long connecting and logging in may take, in ms, before the probe is UNKNOWN."),
    queryTimeoutMs: z
      .number()
      .int()
      .min(10)
      .max(60_000)
      .default(5_000)
      .describe("How long a statement may take, in ms, before the server ends it and the probe is UNKNOWN."),
    query: z
      .string()
      .min(1)
      .default("SELECT 1")
      .describe("Must succeed. Runs in a read-only transaction that is rolled back."),
    connectionsPercent: z
      .strictObject(ladder(80, 90, "connections used / (max_connections - reserved), in %,"))
      .superRefine(rising)
      .prefault({})
      .describe("Limits for the share of connections in use, in %."),
  })
  .superRefine((config, context) => {
    if (config.url === undefined) return;
    for (const option of ["host", "port", "database", "user", "password"] as const)
      if (config[option] !== undefined)
        context.addIssue({
          code: "custom",
          path: [option],
          message: `${option} and url exclude each other; put it into the url`,
        });
  });

export type ReadyConfig = z.output<typeof ready>;

export const manifest = defineManifest({
  name: "postgres",
  version: "1.0.0",
  description: "Logs in to a PostgreSQL server, runs a query and counts its connections.",
  probes: {
    ready: {
      title: "PostgreSQL ready",
      description: "A new connection that runs a query, with version, recovery state and connections in use.",
      config: ready,
      intervalMs: 30_000,
      timeoutMs: 10_000,
    },
  },
  remediations: {},
});
