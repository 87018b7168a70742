import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { parseAllDocuments } from "yaml";
import type { Client } from "../client.js";
import { type CreateProbeInput, IncidentCategory, Severity } from "../generated/graphql.js";
import { usage } from "./failure.js";
import { serviceId } from "./lookup.js";
import { listed, type Words, wordOf } from "./option-values.js";

type ProbeInFile = CreateProbeInput & { service?: string };

/** Options of a probe. The compiler checks the list against the schema. */
const KEYS: Record<Exclude<keyof ProbeInFile, "clientMutationId">, true> = {
  name: true,
  kind: true,
  config: true,
  agentSelector: true,
  interval: true,
  retryInterval: true,
  timeout: true,
  severity: true,
  category: true,
  service: true,
  serviceId: true,
  rules: true,
  remediation: true,
};

/** Keys that hold one of some words, written in any case. */
const WORDS = { severity: Severity, category: IncidentCategory };
const DURATIONS = ["interval", "retryInterval", "timeout"] as const;

/** The probes of a file, checked as a whole before the first is created. `service` is a name. */
export async function readProbeFile(client: Client, file: string): Promise<CreateProbeInput[]> {
  const source = file === "-" ? "stdin" : file;
  const content =
    file === "-"
      ? await text(process.stdin)
      : await readFile(file, "utf8").catch((error: Error) => {
          throw usage(`Cannot read ${file}: ${error.message}`, "Name a YAML file, or - for stdin.");
        });
  const probes = parseAllDocuments(content).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw usage(`${source} is not YAML: ${error.message}`, "Correct the line named.");
    const value: unknown = document.toJS();
    return Array.isArray(value) ? (value as unknown[]) : value === null ? [] : [value];
  });
  if (probes.length === 0) throw usage(`${source} holds no probe.`, "Each plugin's sample.yaml shows one.");
  const checked = probes.map((probe, i) => check(probe, `${source}, probe ${i + 1}`));
  return Promise.all(
    checked.map(async ({ service, ...input }) =>
      service ? { ...input, serviceId: await serviceId(client, service) } : input,
    ),
  );
}

function check(given: unknown, where: string): ProbeInFile {
  if (typeof given !== "object" || given === null) throw usage(`${where} is ${JSON.stringify(given)}, not a probe.`);
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(KEYS, key));
  if (unknown) throw usage(`${where} has "${unknown}".`, `Allowed are ${Object.keys(KEYS).join(", ")}.`);
  const probe: Record<string, unknown> = { ...given };
  for (const key of ["name", "kind"])
    if (typeof probe[key] !== "string") throw usage(`${where} has no ${key}.`, `Give it as \`${key}: …\`.`);
  for (const [key, words] of Object.entries<Words<string>>(WORDS)) {
    if (probe[key] == null) continue;
    const word = wordOf(words, String(probe[key]));
    if (!word) throw usage(`${where}: ${key} is ${JSON.stringify(probe[key])}.`, `Allowed are ${listed(words)}.`);
    probe[key] = word;
  }
  for (const key of DURATIONS)
    if (probe[key] != null && typeof probe[key] !== "string")
      throw usage(`${where}: ${key} is ${JSON.stringify(probe[key])}; write it like "10s".`);
  return probe as ProbeInFile;
}
