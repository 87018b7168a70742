import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Client } from "../../client.js";
import { unwrap } from "../../error.js";
import { CreateEnrolmentTokenDocument } from "../../generated/graphql.js";
import { LOCAL } from "./default-probes.js";

export interface LocalAgent {
  configFile: string;
  /** For the first start; single use, so it goes by environment and is written nowhere. */
  enrolmentToken?: string;
}

const configPath = (dataDir: string): string => join(dataDir, "agent", "agent.yaml");

/** The config file is the last thing a first start leaves behind. */
export const isFirstStart = (dataDir: string): boolean => !existsSync(configPath(dataDir));

/** Everything the agent of this host needs before it starts: its config file, and at the first start an enrolment token. */
export async function prepareAgent(client: Client, dataDir: string, url: string): Promise<LocalAgent> {
  const folder = join(dataDir, "agent");
  const configFile = configPath(dataDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (existsSync(configFile)) await pointAt(url, configFile);
  else await writeFile(configFile, agentYaml(url, folder), { mode: 0o600 });
  if (existsSync(join(folder, "identity.json"))) return { configFile };
  const input = { namePattern: "*", labels: LOCAL };
  const { token } = unwrap((await client.request(CreateEnrolmentTokenDocument, { input })).createEnrolmentToken);
  return { configFile, enrolmentToken: token! };
}

/** The server may have got another port since; the rest of the file is its owner's. */
async function pointAt(url: string, configFile: string): Promise<void> {
  const text = await readFile(configFile, "utf8");
  const current = text.replace(/^server:.*$/m, stringify({ server: url }).trimEnd());
  if (current !== text) await writeFile(configFile, current);
}

const agentYaml = (
  url: string,
  folder: string,
): string => `# The agent that \`poppo-ops up\` starts on this host. Yours to change; \`server\` follows the server.
${stringify({ server: url, name: hostname(), dataDir: folder, logLevel: "warn" })}
# What the server may do here. Up to R1 (reversible, no impact) anything; above it only what a rule names.
policy:
  maxRisk: R1
  allow:
    # Restart, start and stop any container. Narrow \`targets\` to, say, ["docker/web-*"].
    - { remediation: docker.restart, targets: ["*"] }
    - { remediation: docker.start, targets: ["*"] }
    - { remediation: docker.stop, targets: ["*"] }
`;
