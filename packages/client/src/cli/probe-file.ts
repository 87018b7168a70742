import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { parseAllDocuments } from "yaml";
import type { Client } from "../client.js";
import {
  type CreateProbeInput,
  IncidentCategory,
  type ProbeFieldsFragment,
  Severity,
  type UpdateProbeInput,
} from "../generated/graphql.js";
import { usage } from "./failure.js";
import { serviceId } from "./lookup.js";
import { listed, type Words, wordOf } from "./option-values.js";

type ProbeInFile = CreateProbeInput & { service?: string };
type ChangesInFile = Omit<UpdateProbeInput, "id"> & { kind?: string; service?: string | null };
type Keys<InFile> = Record<Exclude<keyof InFile, "clientMutationId">, true>;

/** What a probe's file may give. The compiler checks both lists against the schema. */
const PROBE_KEYS: Keys<ProbeInFile> = {
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
const CHANGE_KEYS: Keys<ChangesInFile> = { ...PROBE_KEYS, enabled: true };

/** Keys that hold one of some words, written in any case. */
const WORDS = { severity: Severity, category: IncidentCategory };
const DURATIONS = ["interval", "retryInterval", "timeout"] as const;

/** The probes of a file, checked as a whole before the first is created. `service` is a name. */
export async function readProbeFile(client: Client, file: string): Promise<CreateProbeInput[]> {
  const checked = (await entriesOf(file)).map(({ entry, where }) => {
    const probe = check<ProbeInFile>(entry, where, PROBE_KEYS);
    for (const key of ["name", "kind"] as const)
      if (typeof probe[key] !== "string") throw usage(`${where} has no ${key}.`, `Give it as \`${key}: …\`.`);
    return probe;
  });
  return Promise.all(
    checked.map(async ({ service, ...input }) =>
      service ? { ...input, serviceId: await serviceId(client, service) } : input,
    ),
  );
}

/** What a file of one probe gives of it, for `updateProbe`. A file that made the probe will do: its kind is compared. */
export async function readProbeChanges(
  client: Client,
  file: string,
  { id, name, kind }: ProbeFieldsFragment,
): Promise<UpdateProbeInput> {
  const [{ entry, where }, second] = await entriesOf(file);
  if (second) throw usage(`${sourceOf(file)} holds several probes.`, `Give a file with ${name} alone.`);
  const { kind: given = kind, service, ...changes } = check<ChangesInFile>(entry, where, CHANGE_KEYS);
  if (given !== kind)
    throw usage(
      `${where}: kind is ${JSON.stringify(given)}, but ${name} is ${kind}, for good.`,
      "Delete the probe and create it anew, or leave kind out.",
    );
  if (service === undefined) return { id, ...changes };
  return { id, ...changes, serviceId: service === null ? null : await serviceId(client, service) };
}

const sourceOf = (file: string): string => (file === "-" ? "stdin" : file);

interface Entry {
  entry: unknown;
  /** For messages: which of which file. */
  where: string;
}

/** @throws when there is none */
async function entriesOf(file: string): Promise<[Entry, ...Entry[]]> {
  const source = sourceOf(file);
  const content =
    file === "-"
      ? await text(process.stdin)
      : await readFile(file, "utf8").catch((error: Error) => {
          throw usage(`Cannot read ${file}: ${error.message}`, "Name a YAML file, or - for stdin.");
        });
  const entries = parseAllDocuments(content).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw usage(`${source} is not YAML: ${error.message}`, "Correct the line named.");
    const value: unknown = document.toJS();
    return Array.isArray(value) ? (value as unknown[]) : value === null ? [] : [value];
  });
  const [first, ...rest] = entries.map((entry, i) => ({ entry, where: `${source}, probe ${i + 1}` }));
  if (!first) throw usage(`${source} holds no probe.`, "Each plugin's sample.yaml shows one.");
  return [first, ...rest];
}

function check<InFile>(given: unknown, where: string, keys: Keys<InFile>): InFile {
  if (typeof given !== "object" || given === null) throw usage(`${where} is ${JSON.stringify(given)}, not a probe.`);
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(keys, key));
  if (unknown) throw usage(`${where} has "${unknown}".`, `Allowed are ${Object.keys(keys).join(", ")}.`);
  const probe: Record<string, unknown> = { ...given };
  for (const [key, words] of Object.entries<Words<string>>(WORDS)) {
    if (probe[key] == null) continue;
    const word = wordOf(words, String(probe[key]));
    if (!word) throw usage(`${where}: ${key} is ${JSON.stringify(probe[key])}.`, `Allowed are ${listed(words)}.`);
    probe[key] = word;
  }
  for (const key of DURATIONS)
    if (probe[key] != null && typeof probe[key] !== "string")
      throw usage(`${where}: ${key} is ${JSON.stringify(probe[key])}; write it like "10s".`);
  return probe as InFile;
}
