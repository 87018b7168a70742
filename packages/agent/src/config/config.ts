import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, isAbsolute, resolve } from "node:path";
import { AGENT_NAME } from "@poppo-ops/plugins/wire";
import { z } from "zod";
import { ConfigError } from "./config-error.js";
import { parseYaml } from "./parse-yaml.js";

const RISKS = ["R0", "R1", "R2", "R3"] as const;

const policySchema = z.strictObject({
  /** Remediations up to this risk need no rule. */
  maxRisk: z.enum(RISKS).default("R1"),
  /** What is allowed above it: a glob over `<plugin>.<remediation>` and globs over the target, `docker/web-*`. */
  allow: z
    .array(z.strictObject({ remediation: z.string().min(1), targets: z.array(z.string().min(1)).min(1) }))
    .default([]),
});

/** What this host lets the server do. Nothing above R1 unless a rule names it. */
export type Policy = z.output<typeof policySchema>;

const configSchema = z.strictObject({
  server: z.url({ protocol: /^https?$/, error: "must be an http or https URL, for example http://poppo.example:3000" }),
  name: z
    .string()
    .regex(AGENT_NAME, "must begin and end with a letter or digit, of letters, digits, . _ and -, up to 100")
    .prefault(hostname),
  dataDir: z.string().min(1).default("/var/lib/poppo-ops-agent"),
  enrolmentToken: z.string().min(1).optional(),
  policy: policySchema.optional(),
  policyFile: z.string().min(1).optional(),
  spool: z
    .strictObject({
      maxBytes: z
        .number()
        .int()
        .min(2 ** 20)
        .default(64 * 2 ** 20),
      maxAgeHours: z.number().positive().default(24),
    })
    .prefault({}),
  plugins: z.array(z.string().min(1)).default([]),
  logLevel: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
});

export type AgentConfig = Omit<z.output<typeof configSchema>, "policy" | "policyFile"> & { policy: Policy };

/**
 * Reads the agent's one file. Relative paths in it are relative to the file.
 * @throws {ConfigError} naming file, line, key and what is allowed
 */
export function loadConfig(path: string, env: NodeJS.ProcessEnv): AgentConfig {
  const folder = dirname(resolve(path));
  const { policy, policyFile, ...config } = parseYaml(path, read(path), configSchema);
  if (policy && policyFile) throw new ConfigError(`${path}: has both \`policy\` and \`policyFile\`; keep one of them`);
  const policyPath = policyFile && resolve(folder, policyFile);
  return {
    ...config,
    dataDir: resolve(folder, config.dataDir),
    plugins: config.plugins.map((plugin) => (plugin.startsWith(".") ? resolve(folder, plugin) : plugin)),
    enrolmentToken: config.enrolmentToken ?? env.POPPO_ENROLMENT_TOKEN,
    policy: policyPath ? parseYaml(policyPath, read(policyPath), policySchema) : (policy ?? policySchema.parse({})),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const where = isAbsolute(path) ? path : `${path} (in ${process.cwd()})`;
    throw new ConfigError(`cannot read ${where}: ${(cause as Error).message}`, { cause });
  }
}
