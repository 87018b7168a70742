import type { PluginManifest, ProbeManifest, RemediationManifest } from "./contract.js";
import { manifest as docker } from "./docker/config.js";
import { manifest as exec } from "./exec/config.js";
import { manifest as http } from "./http/config.js";
import { manifest as postgres } from "./postgres/config.js";
import { manifest as process } from "./process/config.js";
import { manifest as system } from "./system/config.js";

/** What every built-in plugin offers: schemas and declarations only, none of the libraries that do the work. */
export const manifests: Record<string, PluginManifest> = { system, http, docker, process, postgres, exec };

/** @param kind `"<plugin>.<probe>"` */
export const findProbe = (kind: string): ProbeManifest | undefined => find(kind, (plugin) => plugin.probes);

/** @param kind `"<plugin>.<remediation>"` */
export const findRemediation = (kind: string): RemediationManifest | undefined =>
  find(kind, (plugin) => plugin.remediations);

export const probeKinds = (): string[] => kinds((plugin) => plugin.probes);
export const remediationKinds = (): string[] => kinds((plugin) => plugin.remediations);

function find<Entry>(kind: string, entriesOf: (plugin: PluginManifest) => Record<string, Entry>): Entry | undefined {
  const dot = kind.indexOf(".");
  const plugin = own(manifests, kind.slice(0, dot));
  return dot > 0 && plugin ? own(entriesOf(plugin), kind.slice(dot + 1)) : undefined;
}

const kinds = (entriesOf: (plugin: PluginManifest) => Record<string, unknown>): string[] =>
  Object.entries(manifests).flatMap(([name, plugin]) =>
    Object.keys(entriesOf(plugin)).map((entry) => `${name}.${entry}`),
  );

/** A kind comes from outside: `constructor` is no probe. */
const own = <Value>(record: Record<string, Value>, key: string): Value | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
