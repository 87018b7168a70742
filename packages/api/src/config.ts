import { homedir } from "node:os";
import { resolve } from "node:path";
import { z } from "zod";
import { AppError } from "./kernel/app-error.js";

/** What the environment decides. `docs/configuration.md` is checked against this object. */
export const environment = z.object({
  POPPO_HOST: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address to listen on. Loopback unless you say otherwise."),
  POPPO_PORT: z.coerce.number().int().min(0).max(65535).default(3000).describe("Port of the API; 0 takes a free one."),
  POPPO_DATA_DIR: z
    .string()
    .min(1)
    .default(".poppo")
    .transform((path) => resolve(path.replace(/^~(?=$|\/)/, homedir())))
    .describe("Folder for the embedded database, its password and the local agent."),
  POPPO_ADMIN_TOKEN: z
    .string()
    .min(16, "at least 16 characters")
    .optional()
    .describe("Makes this text an admin token, instead of a random one printed at the first start."),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "a postgres:// URL")
    .optional()
    .describe("A PostgreSQL server, 15 or newer, with the contrib module pg_trgm. Absent: the embedded one."),
  NATS_URL: z
    .string()
    .regex(/^(nats|tls|wss?):\/\//, "a nats:// URL")
    .optional()
    .describe("Core NATS as the hint bus between replicas. Absent: LISTEN/NOTIFY."),
  POPPO_LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("How much is logged, as JSON lines on standard error."),
});

export interface Config {
  host: string;
  port: number;
  dataDir: string;
  adminToken?: string;
  databaseUrl?: string;
  natsUrl?: string;
  logLevel: string;
}

/** @throws {AppError} BAD_INPUT naming each variable, its value and what is allowed */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.keys(environment.shape).map((name) => [name, env[name] || undefined]));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path: [name], message }) => {
      const shown = name === "POPPO_ADMIN_TOKEN" ? "(not shown)" : `"${given[name as string]}"`;
      return `${String(name)} is ${shown}; allowed: ${message}`;
    });
    throw new AppError("BAD_INPUT", `The environment is wrong. ${wrong.join(". ")}. See docs/configuration.md.`);
  }
  const { data } = parsed;
  return {
    host: data.POPPO_HOST,
    port: data.POPPO_PORT,
    dataDir: data.POPPO_DATA_DIR,
    adminToken: data.POPPO_ADMIN_TOKEN,
    databaseUrl: data.DATABASE_URL,
    natsUrl: data.NATS_URL,
    logLevel: data.POPPO_LOG_LEVEL,
  };
}
