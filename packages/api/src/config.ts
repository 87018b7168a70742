import { homedir } from "node:os";
import { resolve } from "node:path";
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { areNatsServers } from "./db/nats-servers.js";
import { AppError } from "./kernel/app-error.js";

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/** What the environment decides. `docs/configuration.md` is made of this object. */
export const environment = z.object({
  POPPO_HOST: z.string().default("127.0.0.1").meta({
    description: "Address to listen on. Loopback unless you say otherwise.",
    allowed: "an address or name of this machine",
  }),
  POPPO_PORT: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .refine((port) => port <= 65_535)
    .prefault("3000")
    .meta({ description: "Port of the API; 0 takes a free one.", allowed: "a whole number from 0 to 65535" }),
  POPPO_DATA_DIR: z
    .string()
    .transform((path) => resolve(path.replace(/^~(?=$|\/)/, homedir())))
    .prefault(".poppo")
    .meta({
      description: "Folder for the embedded database, its password and the local agent.",
      allowed: "a path; `~` is your home",
    }),
  // What an authorization header can carry.
  POPPO_ADMIN_TOKEN: z
    .string()
    .regex(/^[!-~]{16,}$/)
    .optional()
    .meta({
      description: "Makes this text an admin token, instead of a random one printed at the first start.",
      allowed: "at least 16 printable ASCII characters without spaces",
      secret: true,
    }),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//)
    .optional()
    .meta({
      description: "A PostgreSQL server, 15 or newer, with the contrib module pg_trgm. Absent: the embedded one.",
      allowed: "a URL that begins with postgres:// or postgresql://",
    }),
  NATS_URL: z.string().refine(areNatsServers).optional().meta({
    description: "Core NATS as the hint bus between replicas. Absent: LISTEN/NOTIFY.",
    allowed: "URLs that begin with nats:// or tls://, with user:password@ or token@ where needed, separated by commas",
  }),
  POPPO_CONNECTIONS_PER_SECOND: z
    .string()
    .regex(/^\d{1,6}$/)
    .transform(Number)
    .refine((count) => count > 0)
    .prefault("500")
    .meta({
      description:
        "WebSocket connections one replica takes up in a second; the others are told to come back (HTTP 503).",
      allowed: "a whole number from 1 to 999999",
    }),
  POPPO_LOG_LEVEL: z
    .enum(LOG_LEVELS)
    .default("info")
    .meta({
      description: "How much is logged, as JSON lines on standard error. `npm start` takes `warn` when it is absent.",
      allowed: LOG_LEVELS.join(", "),
    }),
});

type Variable = keyof typeof environment.shape;
const VARIABLES = Object.keys(environment.shape) as Variable[];

export interface Config {
  host: string;
  port: number;
  dataDir: string;
  adminToken?: string;
  databaseUrl?: string;
  natsUrl?: string;
  connectionsPerSecond: number;
  logLevel: string;
}

/** @throws {AppError} BAD_INPUT naming each variable, its value and what is allowed */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(VARIABLES.map((name) => [name, env[name] || undefined]));
  const { data, error } = environment.safeParse(given);
  const wrong = new Set(error?.issues.map(({ path }) => path[0] as Variable));
  const complaints = [...[...wrong].map((name) => describe(name, given[name])), ...misspelt(env)];
  if (!data || complaints.length > 0)
    throw new AppError("BAD_INPUT", `The environment is wrong. ${complaints.join(" ")} See docs/configuration.md.`);
  return {
    host: data.POPPO_HOST,
    port: data.POPPO_PORT,
    dataDir: data.POPPO_DATA_DIR,
    adminToken: data.POPPO_ADMIN_TOKEN,
    databaseUrl: data.DATABASE_URL,
    natsUrl: data.NATS_URL,
    connectionsPerSecond: data.POPPO_CONNECTIONS_PER_SECOND,
    logLevel: data.POPPO_LOG_LEVEL,
  };
}

function describe(name: Variable, value = ""): string {
  const { allowed, secret } = environment.shape[name].meta()!;
  const shown = secret ? "(not shown)" : `"${value.replace(/\/\/[^/@]*@/g, "//(not shown)@")}"`;
  return `${name} is ${shown}; allowed: ${allowed}.`;
}

/** Other programs have variables that begin with POPPO_ too, so only what is nearly one of ours is a mistake. */
function misspelt(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("POPPO_") && !VARIABLES.includes(name as Variable))
    .map((name) => [name, closest(name, VARIABLES)] as const)
    .filter(([name, near]) => distance(name, near) <= 2)
    .map(([name, near]) => `${name} is not known; did you mean ${near}?`);
}
